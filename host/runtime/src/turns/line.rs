//! Who is next. The tenant that had least goes first, by its weight. Of its guests those that come anew, or were woken from a wait, go
//! before those that compute, and these one after the other rather than side by side: a hundred that need ten milliseconds each end ten
//! milliseconds apart, and not all of them after a second.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use mogbox_core::Tenant;

/// What a microsecond counts for a tenant of weight 1.
const STEP: u64 = 1 << 16;

/// How long one guest computes before the next one of its tenant does.
const STINT: Duration = Duration::from_millis(100);

/// Tenants whose accounts are kept without a look at whether they matter.
const ACCOUNTS: usize = 1_024;

/// Those who wait for a turn, and the accounts of their tenants.
#[derive(Debug)]
pub(super) struct Line<T> {
    /// Something happened to these while they waited: their time may be up.
    urgent: VecDeque<T>,
    tenants: HashMap<Tenant, Account<T>>,
    /// Tenants with guests that wait, by what they had.
    waiting: BTreeSet<(u64, Tenant)>,
    /// What the tenant had that was called last: who comes anew begins there, without credit for the time it was away.
    at: u64,
}

#[derive(Debug)]
struct Account<T> {
    had: u64,
    step: u64,
    ready: VecDeque<T>,
    computing: VecDeque<T>,
}

/// Why a guest waits for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// It begins, or what it waited for is there.
    Ready,
    /// It computes, for so long since it was first to do so.
    Computes(Duration),
}

impl<T> Line<T> {
    pub(super) fn new() -> Self {
        Self { urgent: VecDeque::new(), tenants: HashMap::new(), waiting: BTreeSet::new(), at: 0 }
    }

    /// Lets a guest wait. Returns for how long it computed, from now on, since it was first to do so.
    pub(super) fn enter(&mut self, tenant: &Tenant, weight: u32, because: Because, guest: T) -> Duration {
        let new = || Account { had: 0, step: 0, ready: VecDeque::new(), computing: VecDeque::new() };
        let account = self.tenants.entry(tenant.clone()).or_insert_with(new);
        account.step = STEP / u64::from(weight.max(1));
        if account.ready.is_empty() && account.computing.is_empty() {
            account.had = account.had.max(self.at);
            self.waiting.insert((account.had, tenant.clone()));
        }
        match because {
            Because::Ready => account.ready.push_back(guest),
            Because::Computes(stint) if stint < STINT => {
                account.computing.push_front(guest);
                return stint;
            }
            Because::Computes(_) => account.computing.push_back(guest),
        }
        Duration::ZERO
    }

    /// Lets a guest wait before everybody.
    pub(super) fn enter_urgently(&mut self, guest: T) {
        self.urgent.push_back(guest);
    }

    /// Whether anybody waits.
    pub(super) fn any_wait(&self) -> bool {
        !self.urgent.is_empty() || !self.waiting.is_empty()
    }

    /// The next one.
    pub(super) fn call(&mut self) -> Option<T> {
        if let Some(guest) = self.urgent.pop_front() {
            return Some(guest);
        }
        while let Some((had, tenant)) = self.waiting.pop_first() {
            let Some(account) = self.tenants.get_mut(&tenant) else { continue };
            self.at = self.at.max(had);
            let called = account.ready.pop_front().or_else(|| account.computing.pop_front());
            if !account.ready.is_empty() || !account.computing.is_empty() {
                self.waiting.insert((had, tenant));
            }
            if called.is_some() {
                return called;
            }
        }
        None
    }

    /// Notes how long a turn of a tenant took.
    pub(super) fn charge(&mut self, tenant: &Tenant, took: Duration) {
        let Some(account) = self.tenants.get_mut(tenant) else { return };
        let before = account.had;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        account.had = before.saturating_add(micros.saturating_mul(account.step));
        if self.waiting.remove(&(before, tenant.clone())) {
            self.waiting.insert((account.had, tenant.clone()));
        }
        if self.tenants.len() > ACCOUNTS + 2 * self.waiting.len() {
            self.forget();
        }
    }

    /// Nobody waits, and nobody has a turn: what any of them had is of no account.
    pub(super) fn rest(&mut self) {
        if !self.any_wait() {
            self.tenants.clear();
            self.at = 0;
        }
    }

    /// Who is not there and had no more than the others has nothing to remember.
    fn forget(&mut self) {
        let at = self.at;
        self.tenants.retain(|_, account| account.had > at || !account.ready.is_empty() || !account.computing.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(1);

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    struct Guest {
        tenant: Tenant,
        weight: u32,
        turns: usize,
        stint: Duration,
    }

    fn guests(line: &mut Line<Guest>, name: &str, weight: u32, number: usize, turns: usize) {
        for _ in 0..number {
            let guest = Guest { tenant: tenant(name), weight, turns, stint: Duration::ZERO };
            line.enter(&tenant(name), weight, Because::Ready, guest);
        }
    }

    /// Gives turns of a millisecond until nobody wants any; whose each was, with how many its guest still wanted.
    fn run(mut line: Line<Guest>) -> Vec<(String, usize)> {
        let mut order = Vec::new();
        while let Some(mut guest) = line.call() {
            guest.turns -= 1;
            order.push((guest.tenant.to_string(), guest.turns));
            line.charge(&guest.tenant.clone(), TURN);
            if guest.turns > 0 {
                let (tenant, weight, stint) = (guest.tenant.clone(), guest.weight, guest.stint + TURN);
                guest.stint = if stint < STINT { stint } else { Duration::ZERO };
                line.enter(&tenant, weight, Because::Computes(stint), guest);
            }
        }
        order
    }

    #[test]
    fn one_guest_does_not_wait_behind_a_hundred_of_another_tenant() {
        let mut line = Line::new();
        guests(&mut line, "loud", 1, 100, 10);
        guests(&mut line, "quiet", 1, 1, 10);
        let order = run(line);
        let last = order.iter().rposition(|(name, _)| name == "quiet").unwrap();
        assert!(last < 25 && order.len() == 1_010, "its tenth turn was number {last} of {}", order.len());
    }

    #[test]
    fn turns_follow_the_weights() {
        let mut line = Line::new();
        guests(&mut line, "one", 1, 5, 100);
        guests(&mut line, "four", 4, 5, 400);
        let order = run(line);
        let four = order[100..1_100].iter().filter(|(name, _)| name == "four").count();
        assert!((780..=820).contains(&four), "{four} of 1000 turns where 800 are due");
    }

    #[test]
    fn guests_of_one_tenant_end_one_after_the_other() {
        let mut line = Line::new();
        guests(&mut line, "t", 1, 10, 11);
        let order = run(line);
        let ends: Vec<usize> = order.iter().enumerate().filter(|(_, (_, left))| *left == 0).map(|(at, _)| at).collect();
        // Each begins first, and then one goes on after the other.
        assert_eq!(ends, (1..=10).map(|number| 10 + 10 * number - 1).collect::<Vec<_>>());
    }

    #[test]
    fn a_guest_that_computes_for_long_lets_others_of_its_tenant_come() {
        let mut line = Line::new();
        guests(&mut line, "t", 1, 2, 1_000);
        let order = run(line);
        let switches = order.windows(2).filter(|pair| pair[0].1 != pair[1].1 + 1).count();
        assert!((10..=30).contains(&switches), "{switches}");
    }

    #[test]
    fn whoever_goes_away_and_comes_back_has_paid_nothing_off() {
        let mut line = Line::new();
        guests(&mut line, "steady", 1, 1, 1_000);
        let mut own = 0;
        for _ in 0..100 {
            guests(&mut line, "hopper", 1, 1, 1);
            let guest = line.call().unwrap();
            let name = guest.tenant.clone();
            line.charge(&name, TURN);
            if name == tenant("hopper") {
                own += 1;
            } else {
                line.enter(&name, 1, Because::Computes(TURN), guest);
            }
        }
        assert!((45..=55).contains(&own), "{own} of 100 turns where half are due");
    }

    #[test]
    fn accounts_of_those_who_left_do_not_pile_up() {
        let mut line = Line::new();
        guests(&mut line, "steady", 1, 1, 1);
        for number in 0..10_000 {
            guests(&mut line, &format!("t{number}"), 1, 1, 1);
            for _ in 0..2 {
                let guest = line.call().unwrap();
                line.charge(&guest.tenant.clone(), TURN);
                if guest.tenant == tenant("steady") {
                    line.enter(&tenant("steady"), 1, Because::Computes(TURN), guest);
                }
            }
        }
        assert!(line.tenants.len() <= ACCOUNTS + 4, "{}", line.tenants.len());
        while line.call().is_some() {}
        line.rest();
        assert!(line.tenants.is_empty());
    }
}
