//! Wakes whoever waits in this process, by topic. A wake-up that comes between two waits is kept, so none is lost.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

type Waiters<K> = HashMap<K, Vec<(u64, Arc<News<K>>)>>;

/// Topics that somebody listens to. A clone is the same set.
#[derive(Debug)]
pub(crate) struct Topics<K: Eq + Hash + Clone>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    next: AtomicU64,
    waiters: Mutex<Waiters<K>>,
}

/// The topics that one listener was not told of yet.
#[derive(Debug)]
struct News<K> {
    keys: Mutex<HashSet<K>>,
    notify: Notify,
}

/// One who listens; no longer when dropped.
pub(crate) struct Listener<K: Eq + Hash + Clone> {
    topics: Topics<K>,
    number: u64,
    keys: Vec<K>,
    news: Arc<News<K>>,
}

impl<K: Eq + Hash + Clone> Clone for Topics<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone> Default for Topics<K> {
    fn default() -> Self {
        Self(Arc::new(Inner { next: AtomicU64::new(0), waiters: Mutex::default() }))
    }
}

impl<K: Eq + Hash + Clone> Topics<K> {
    /// Listens to these topics from now on.
    pub(crate) fn listen(&self, keys: Vec<K>) -> Listener<K> {
        let news = Arc::new(News { keys: Mutex::default(), notify: Notify::new() });
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut waiters = self.waiters();
        for key in &keys {
            waiters.entry(key.clone()).or_default().push((number, Arc::clone(&news)));
        }
        drop(waiters);
        Listener { topics: self.clone(), number, keys, news }
    }

    /// Wakes everyone who listens to a topic.
    pub(crate) fn notify(&self, key: &K) {
        for (_, news) in self.waiters().get(key).into_iter().flatten() {
            lock(&news.keys).insert(key.clone());
            news.notify.notify_one();
        }
    }

    /// Every topic that somebody listens to.
    pub(crate) fn listened(&self) -> Vec<K> {
        self.waiters().keys().cloned().collect()
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters<K>> {
        lock(&self.0.waiters)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under these locks is complete before anything can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Eq + Hash + Clone> Listener<K> {
    /// Waits until topics were notified since the last return, or since the start; returns which.
    pub(crate) async fn notified(&self) -> Vec<K> {
        loop {
            let keys = std::mem::take(&mut *lock(&self.news.keys));
            if !keys.is_empty() {
                return keys.into_iter().collect();
            }
            self.news.notify.notified().await;
        }
    }
}

impl<K: Eq + Hash + Clone> Drop for Listener<K> {
    fn drop(&mut self) {
        let mut waiters = self.topics.waiters();
        for key in &self.keys {
            if let Some(listeners) = waiters.get_mut(key) {
                listeners.retain(|(number, _)| *number != self.number);
                if listeners.is_empty() {
                    waiters.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_up_before_the_wait_is_not_lost() {
        let topics = Topics::default();
        let listener = topics.listen(vec!["a", "b"]);
        topics.notify(&"b");
        topics.notify(&"c");
        assert_eq!(listener.notified().await, ["b"]);
        topics.notify(&"a");
        assert_eq!(listener.notified().await, ["a"]);
    }

    #[test]
    fn nothing_is_kept_of_a_listener_that_is_gone() {
        let topics = Topics::default();
        let (one, two) = (topics.listen(vec!["a", "a"]), topics.listen(vec!["a"]));
        drop(one);
        assert_eq!(topics.waiters().get("a").unwrap().len(), 1);
        drop(two);
        assert!(topics.waiters().is_empty());
    }
}
