//! The worker over real stores and brokers: every test runs, under the same name, on a real Redis server and on the embedded
//! database. Only the sandbox's place is taken by a script, so that each way in which an attempt can go is said by the test.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod again;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod children;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod event;
#[cfg(test)]
#[path = "../conformance/harness.rs"]
mod harness;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod node;
mod noted;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod script;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod submission;
#[cfg(test)]
mod tap;
#[cfg(test)]
mod world;
