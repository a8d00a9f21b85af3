"""Errors of storage that a bucket alone has; as in `errors`."""

from unstoppable.domain.errors import (
    SettingMissing,
    StorageFailed,
    UnstoppableError,
    UsageError,
)


class CredentialMissing(SettingMissing):
    """No access key for the bucket that cold is."""

    sentence_form = "{name} is not set, and cold is {cold}"
    hint_form = "set it in {env_file}, the secret best as NAME_FILE; the bucket's owner gives both"


class CredentialInvalid(UsageError):
    """An access key that no server gives out; its value is never told."""

    sentence_form = "{name} is no part of an access key: {reason}"
    hint_form = "copy it from whoever made the access key, without anything before or after it"


class StorageDenied(StorageFailed):
    """Cold storage refuses the credential."""

    hint_form = (
        "has the access key the rights of its role? restore, check and hot rebuild need one that "
        "may read; what was stored before is untouched"
    )


_WAYS_OUT = {
    "NoSuchBucket": "is UNSTOPPABLE_COLD right? `unstoppable bucket create` makes the bucket",
    "InvalidAccessKeyId": "does UNSTOPPABLE_S3_ACCESS_KEY_ID belong to this server?",
    "SignatureDoesNotMatch": "is UNSTOPPABLE_S3_SECRET_ACCESS_KEY that of the access key?",
    "AuthorizationHeaderMalformed": "is UNSTOPPABLE_S3_REGION that of the bucket?",
    "RequestTimeTooSkewed": "set the clock",
    "it sends elsewhere": "are UNSTOPPABLE_S3_ENDPOINT and UNSTOPPABLE_S3_REGION the bucket's?",
    "is not trusted": (
        "is UNSTOPPABLE_S3_ENDPOINT right? a server with certificates of your own authority needs "
        "UNSTOPPABLE_S3_CA_FILE"
    ),
    "cannot be reached": "is UNSTOPPABLE_S3_ENDPOINT right, and does the network work?",
}
"""By what the engine or the server says."""
_ANY_WAY_OUT = "does the server work? the same command tries again"


class BucketFailed(StorageFailed):
    """A server did not do what it was asked for in a bucket."""

    @property
    def hint(self) -> str:
        """What to do about it, by what was said."""
        cause = str(self.facts["cause"])
        way_out = next((way for mark, way in _WAYS_OUT.items() if mark in cause), _ANY_WAY_OUT)
        return (
            f"{way_out}{' ' if way_out.endswith('?') else '; '}what was stored before is untouched"
        )


class ColdIsNoBucket(UsageError):
    """Something was asked of a bucket where there is none."""

    sentence_form = "cold is the folder {cold}, not a bucket"
    hint_form = "set UNSTOPPABLE_COLD=s3://BUCKET and the UNSTOPPABLE_S3_ settings of its server"


class BucketMissing(UnstoppableError):
    """A bucket that is not there, or that this access key may not see."""

    sentence_form = "there is no bucket {bucket} at {endpoint}"
    hint_form = "`unstoppable bucket create` makes it, with the operator's access key"


class BucketUnusable(UnstoppableError):
    """A bucket whose server refuses, or does not answer."""

    sentence_form = "bucket {bucket}: cannot {doing}: {cause}"
    hint_form = "is the endpoint right, and has the access key the right to do that?"
    is_permanent = False
