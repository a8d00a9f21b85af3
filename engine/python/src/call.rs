//! How a call runs: the work on a thread of its own, the caller watching.
//!
//! The caller's thread lets go of the GIL and wakes a few times a second to run Python's signal
//! handlers and to report progress. So a handler runs while the work goes on, and the work never
//! calls into Python.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use pyo3::prelude::*;
use unstoppable_engine_core::{
    control::Control,
    error::{Error, ErrorKind, Result},
    process,
};

use crate::{
    errors::to_python,
    values::{Phase, Progress},
};

/// Between two looks at signals; progress is reported at every second look or less.
const GLANCE: Duration = Duration::from_millis(100);
const GLANCES_PER_REPORT: u32 = 2;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Note the process and keep panics off the terminal: they become exceptions.
pub fn install() {
    process::remember();
    std::panic::set_hook(Box::new(|panic| {
        LAST_PANIC.with(|last| last.replace(Some(panic.to_string())));
    }));
}

/// A wish to stop, shared with a running call; it stops within a second.
#[pyclass(module = "unstoppable_engine", frozen)]
#[derive(Default)]
pub struct Cancel {
    wish: Arc<AtomicBool>,
}

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Ask the work to stop.
    fn set(&self) {
        self.wish.store(true, Relaxed);
    }

    /// Whether the work was asked to stop.
    fn is_set(&self) -> bool {
        self.wish.load(Relaxed)
    }
}

/// What a caller may pass to a long call.
pub struct Watch<'py> {
    pub progress: Option<Bound<'py, PyAny>>,
    pub cancel: Option<Bound<'py, Cancel>>,
}

/// Run `work` and return what it returns; a panic in it is an [`ErrorKind::Internal`].
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    watch: &Watch<'_>,
    work: impl FnOnce(&Arc<Control>) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    process::check().map_err(|error| to_python(&error))?;
    let control = Arc::new(Control::default());
    let results = start(control.clone(), work).map_err(|error| to_python(&error))?;
    let watched = observe(py, watch, &control, &results);
    match watched {
        Ok(result) => result.map_err(|error| to_python(&error)),
        Err(raised) => {
            control.cancel();
            // The work still uses what belongs to the caller: wait until it has stopped.
            let _ = py.detach(|| results.recv());
            Err(raised)
        }
    }
}

fn start<T: Send + 'static>(
    control: Arc<Control>,
    work: impl FnOnce(&Arc<Control>) -> Result<T> + Send + 'static,
) -> Result<Receiver<Result<T>>> {
    let (sender, results) = bounded(1);
    std::thread::Builder::new()
        .name("unstoppable".to_owned())
        .spawn(move || {
            let caught = catch_unwind(AssertUnwindSafe(|| work(&control)));
            let result = caught.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            // Nobody waits any more when the caller's thread is gone.
            let _ = sender.send(result);
        })
        .map_err(|error| Error::caused_by(ErrorKind::Internal, "cannot start a thread", error))?;
    Ok(results)
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let told = LAST_PANIC.with(RefCell::take);
    let text = told
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::new(ErrorKind::Internal, format!("the engine panicked: {text}"))
}

/// A call whose results come one by one while it goes on; its owner stops it by closing it.
pub struct Stream<T, R> {
    /// None once nobody takes them any more.
    items: Option<Receiver<T>>,
    /// None once it was taken.
    results: Option<Receiver<Result<R>>>,
    control: Arc<Control>,
    /// What the work returned at its end.
    pub result: Option<R>,
}

impl<T: Send + 'static, R: Send + 'static> Stream<T, R> {
    /// Start `work`, which sends what is to be taken and may be `items_ahead` items ahead; a panic
    /// in it is an [`ErrorKind::Internal`].
    pub fn start(
        items_ahead: usize,
        work: impl FnOnce(&Arc<Control>, Sender<T>) -> Result<R> + Send + 'static,
    ) -> PyResult<Self> {
        process::check().map_err(|error| to_python(&error))?;
        let control = Arc::new(Control::default());
        let (sender, items) = bounded(items_ahead);
        let results = start(control.clone(), move |control| work(control, sender))
            .map_err(|error| to_python(&error))?;
        Ok(Self { items: Some(items), results: Some(results), control, result: None })
    }

    /// The next item; None at the end, when `result` is there.
    pub fn next(&mut self, py: Python<'_>) -> PyResult<Option<T>> {
        process::check().map_err(|error| to_python(&error))?;
        while let Some(items) = &self.items {
            match py.detach(|| items.recv_timeout(GLANCE)) {
                Ok(item) => return Ok(Some(item)),
                Err(RecvTimeoutError::Disconnected) => self.items = None,
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            }
        }
        if let Some(results) = self.results.take() {
            let result = py.detach(|| results.recv()).unwrap_or_else(|_| Err(thread_gone()));
            self.result = Some(result.map_err(|error| to_python(&error))?);
        }
        Ok(None)
    }
}

impl<T, R> Stream<T, R> {
    /// More items, as far as they are there.
    pub fn more(&self) -> impl Iterator<Item = T> {
        self.items.iter().flat_map(Receiver::try_iter)
    }

    /// Stop the work and wait until it has stopped. It never calls into Python, so that it does
    /// whoever holds the GIL.
    pub fn close(&mut self) {
        self.control.cancel();
        self.items = None;
        self.results.take().map(|results| results.recv());
    }
}

impl<T, R> Drop for Stream<T, R> {
    fn drop(&mut self) {
        self.close();
    }
}

fn thread_gone() -> Error {
    Error::new(ErrorKind::Internal, "the engine's thread is gone")
}

/// Wait for the result; an exception from a signal handler or from `progress` ends the waiting.
fn observe<T: Send>(
    py: Python<'_>,
    watch: &Watch<'_>,
    control: &Control,
    results: &Receiver<Result<T>>,
) -> PyResult<Result<T>> {
    let mut glances = 0;
    loop {
        let waited = py.detach(|| results.recv_timeout(GLANCE));
        match waited {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Err(thread_gone()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        py.check_signals()?;
        if watch.cancel.as_ref().is_some_and(|cancel| cancel.get().is_set()) {
            control.cancel();
        }
        glances += 1;
        if glances % GLANCES_PER_REPORT == 0
            && let Some(callback) = &watch.progress
        {
            callback.call1((Progress::of(control, phase(control)),))?;
        }
    }
}

fn phase(control: &Control) -> Phase {
    let done = control.bytes_done.load(Relaxed);
    let total = control.bytes_total.load(Relaxed);
    match (control.entries_done.load(Relaxed), total) {
        (0, _) => Phase::Opening,
        (_, total) if total > 0 && done >= total => Phase::Finishing,
        _ => Phase::Working,
    }
}
