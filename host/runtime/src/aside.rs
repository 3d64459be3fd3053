//! Checks of what guests say that take long: on threads of their own, so that a guest with much to say holds none of those that serve
//! the others, and ends with its deadline meanwhile. As many at once as there are processors.

use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use tokio::sync::Semaphore;

/// The most that is checked at once, on the guest's own thread: a fraction of a millisecond, whatever it is. Bytes.
const AT_ONCE: usize = 64 << 10;

/// The threads' turns. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Aside(Arc<Semaphore>);

impl Aside {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))))
    }

    /// Does work on so many bytes, and says how much CPU time it took elsewhere; none where the process ends, or the work panicked.
    pub(crate) async fn work<T: Send + 'static>(&self, bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<(T, Duration)> {
        if bytes <= AT_ONCE {
            return Some((work(), Duration::ZERO));
        }
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let timed = move || {
            let start = ThreadTime::try_now();
            let done = work();
            drop(permit);
            (done, start.and_then(|start| start.try_elapsed()).unwrap_or_default())
        };
        tokio::task::spawn_blocking(timed).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn little_is_done_here_and_much_elsewhere_and_its_time_is_known() {
        let aside = Aside::new();
        let here = std::thread::current().id();
        let (thread, used) = aside.work(AT_ONCE, || std::thread::current().id()).await.unwrap();
        assert_eq!((thread, used), (here, Duration::ZERO));
        let busy = || {
            let start = ThreadTime::now();
            while start.elapsed() < Duration::from_millis(2) {}
            std::thread::current().id()
        };
        let (thread, used) = aside.work(AT_ONCE + 1, busy).await.unwrap();
        assert!(thread != here && used >= Duration::from_millis(2), "{used:?}");
    }

    #[tokio::test]
    async fn work_that_panics_takes_nothing_along() {
        let aside = Aside::new();
        for _ in 0..100 {
            assert!(aside.work(AT_ONCE + 1, || panic!("on purpose")).await.is_none());
        }
        assert!(aside.work(AT_ONCE + 1, || ()).await.is_some());
    }
}
