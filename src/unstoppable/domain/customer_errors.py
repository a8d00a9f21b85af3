"""What can be wrong with the files of customers."""

from unstoppable.domain.errors import (
    DirectoryMissing,
    RepositoryExists,
    SettingMissing,
    UnstoppableError,
    UsageError,
)


class CustomerFileUnreadable(UsageError):
    """A file that is there and cannot be read."""

    sentence_form = "the customer's file {path} cannot be read: {cause}"
    hint_form = "may this user read it?"


class CustomersUnreadable(UsageError):
    """The folder of customers is there, and nobody knows who is in it."""

    sentence_form = "the folder of customers {folder} cannot be read: {cause}"
    hint_form = "may this user read it, and is it a folder?"


class CustomersGone(UsageError):
    """There were customers, and neither their folder is there nor settings of one directory."""

    sentence_form = "the folder of customers {folder} is gone"
    hint_form = (
        "put it back; where this machine is to back up one directory from now on, set "
        "UNSTOPPABLE_SOURCE in its settings file, or call `unstoppable init DIR`"
    )


class CustomersLeft(UsageError):
    """Nobody is in the folder of customers any more, who was planned a moment ago."""

    sentence_form = "the folder of customers {folder} is empty, and was not before"
    hint_form = (
        "is something to be mounted there? where the last customer was removed on purpose, "
        "start the daemon anew"
    )


class NoCustomer(UsageError):
    """A command about a customer, and there is none."""

    sentence_form = "there is no customer in {folder}"
    hint_form = (
        "`unstoppable customer add NAME --resource NAME=DIR` makes one; of a machine that backs up "
        "one directory alone the settings name it, as UNSTOPPABLE_SOURCE"
    )


class CustomerFileInvalid(UsageError):
    """A file that is no TOML, or lacks what it needs."""

    sentence_form = "the customer's file {path} cannot be used: {reason}"
    hint_form = "correct it; `unstoppable config schema` tells what it may hold"


class CustomerKeyUnknown(UsageError):
    """A key nobody reads, most likely a typo."""

    sentence_form = "unknown key {key} in {origin}"
    hint_form = "did you mean {nearest}? `unstoppable config schema` tells every key"


class CustomerKeyInvalid(UsageError):
    """A value that cannot be used."""

    sentence_form = "{name} in {origin} cannot be used: {reason}"
    hint_form = "correct it; `unstoppable config schema` tells what it may hold"


class CustomerKeyMissing(SettingMissing):
    """A key that this command needs."""

    sentence_form = "{key} of {resource} is not in {path}"
    hint_form = "write it there; `unstoppable config schema` tells what it may hold"


class OneOrMany(UsageError):
    """Settings of one resource, and files of customers beside them."""

    sentence_form = "{name} in {origin} is of one resource alone, and {folder} holds customers"
    hint_form = "move what it says into a customer's file, or the files of customers elsewhere"


class BucketShared(UsageError):
    """Two customers with one bucket: each could read and hide what is the other's."""

    sentence_form = "customers {one} and {other} have one bucket, {bucket}"
    hint_form = "give each a bucket of its own, `unstoppable bucket plan` tells how"


class FolderShared(UsageError):
    """Two repositories in one folder: each is damage to the other."""

    sentence_form = "{one} and {other} have one folder of cold, {folder}"
    hint_form = "is one of them a link into the other? give each a folder of its own"


class KeyShared(UsageError):
    """Two repositories with one key: who knows one of them reads both."""

    sentence_form = "{one} and {other} have one key, {reference}"
    hint_form = "give each a key of its own: each repository's is derived from its own name"


class CustomerExists(UsageError):
    """A customer is to be added who is there."""

    sentence_form = "there is a customer {name} already: {path}"
    hint_form = (
        "`unstoppable customer add-resource {name} NAME=DIR` adds a resource to it; for another "
        "customer take another name"
    )


class CustomerOther(CustomerExists):
    """A bundle is to be written again of a customer whose file says something else."""

    hint_form = (
        "a lost bundle is written again by the command that {path} would come from: every "
        "--resource and option as it stands there, and --bundle FILE; another customer takes "
        "another name"
    )


class CustomerImported(CustomerExists):
    """A customer is to be taken from a bundle who is there."""

    hint_form = (
        "was this bundle taken before? if it is another customer's, have that one added under "
        "another name, and bring the new bundle"
    )


class SourceMissing(DirectoryMissing):
    """A resource is to be added whose directory is not there."""

    sentence_form = "{resource} cannot be backed up: {path} is not a directory"
    hint_form = "make or mount it; a directory of another machine is added with --bundle"


class ResourceExists(UsageError):
    """A resource is to be added that is there."""

    sentence_form = "there is a resource {resource} already: {path}"
    hint_form = "change that file where another source is meant, or take another name"


class ResourceOther(ResourceExists):
    """A bundle is to be written again of a resource that is another one in the customer's file."""

    hint_form = (
        "a lost bundle is written again by the command that its table in {path} would come from: "
        "source, --schedule and --password-file as it stands there, and --bundle FILE; another "
        "resource takes another name"
    )


class ResourceImported(ResourceExists):
    """A resource is to be taken from a bundle that is there."""

    hint_form = "was this bundle taken before? then it can be deleted"


class RootSecretMissing(UsageError):
    """A further key is to be made, and nothing that it could be made of is there."""

    sentence_form = "the root secret of {customer}, of which every key is made, is not at {path}"
    hint_form = (
        "do this on the machine where {customer} was added, with --bundle FILE, and bring FILE "
        "here for `unstoppable customer import FILE`; or put the root secret back as long as it "
        "takes"
    )


class RootSecretOther(UsageError):
    """A root secret of which no key of the customer was made."""

    sentence_form = "{path} is not the root secret that the keys of {customer} were made of"
    hint_form = "put that one back: of another one a further key would be on no sheet of yours"


class CustomerFileFixed(UsageError):
    """A file to whose end no further resource can be written."""

    sentence_form = "no further resource can be written to the end of {path}"
    hint_form = "write each of its resources as a table, [resources.NAME] and its keys below"


class CustomerFileFull(UsageError):
    """A file that no further resource may be written to, or nobody would read it any more."""

    sentence_form = "{path} has no room for a further resource: with it, {reason}"
    hint_form = "shorten it: what several resources say alike can stand once, below [defaults]"


class CustomerFileChanging(UnstoppableError):
    """A file that somebody else writes whenever it is to be written."""

    sentence_form = "{path} is changed by somebody else again and again"
    hint_form = "see who writes it, and run the same command again"
    is_permanent = False


class KeyFileOther(UsageError):
    """The file of a key, and in it the key of another root secret."""

    sentence_form = "{path} holds a key of another root secret"
    hint_form = "put the root secret back that it was made of, or move the file away"


class RepositoryOfOther(RepositoryExists):
    """A repository lies where a new customer's was to be made, and no root secret opens it."""

    sentence_form = "{resource} has a repository already, made of another root secret"
    hint_form = "put that root secret back as {path}, or take another name"


class BundleUnreadable(UnstoppableError):
    """A bundle that is to be imported and cannot be read."""

    sentence_form = "cannot read {path}: {cause}"
    hint_form = "name the file that `customer add` wrote with --bundle"


class BundleInvalid(UsageError):
    """A file that no `customer add` wrote; nothing of it is taken."""

    sentence_form = "{path} is no bundle of a customer: {reason}"
    hint_form = "nothing was taken of it; bring the file that `customer add` wrote with --bundle"


class BundleUnusable(UsageError):
    """A bundle whose customer or resource cannot be one of this machine; nothing of it is taken."""

    sentence_form = "{path} cannot be used here: {reason}"
    hint_form = "nothing was taken of it; have the customer or resource added again, and bring that"


class OptionUnusable(UsageError):
    """An option that says something about a customer who is added, and cannot be used."""

    sentence_form = "{option} cannot be used: {reason}"
    hint_form = "`unstoppable customer add --help` tells what it takes"


class OptionMissing(UsageError):
    """A customer or resource is to be added that lacks something."""

    sentence_form = "{resource} cannot be added without {option}"
    hint_form = "`unstoppable customer add --help` tells what it takes"


class BundleConflict(UsageError):
    """A file of a bundle, and another one in its place."""

    sentence_form = "{path} is there, with another content than the bundle's"
    hint_form = "is the customer on this machine already? if not, move that file away"


class CustomerNotThere(UsageError):
    """A customer is to be removed whom nobody knows."""

    sentence_form = "there is no customer {name} in {folder}"
    hint_form = "the name is that of the customer's file, without .toml"


class CustomerNotImported(CustomerNotThere):
    """A bundle with a further resource of a customer whom nobody knows."""

    hint_form = "import the bundle first that {name} was added with"


class IdentityMissing(UsageError):
    """A reference to an Infisical server, and nothing that says as whom to ask there."""

    sentence_form = "{name} in {origin} lies in Infisical, and the file holds no [infisical]"
    hint_form = "write project, client_id and client_secret there: those of the customer's identity"


class IdentityShared(UsageError):
    """Two customers with one identity: who takes over one reads the other's secrets."""

    sentence_form = "customers {one} and {other} have one identity at Infisical, {client_id}"
    hint_form = "make an identity for each, or write shares_identity = true into both files"


class ResourceNotNamed(UsageError):
    """A command about one resource, and there are several."""

    sentence_form = "which resource?"
    hint_form = "name one of {resources}"


class ResourceNotThere(UsageError):
    """A resource that no customer's file has."""

    sentence_form = "there is no resource {asked}"
    hint_form = "did you mean {nearest}? the files of customers are in {folder}"


class PlaceMoved(UsageError):
    """A daemon was told to look for its runs elsewhere while it plans them."""

    sentence_form = "{name} became {other}, and this daemon goes on with {place}"
    hint_form = (
        "put it back, or stop the daemon and start it again: runs that are at work record and "
        "lock where they began"
    )
