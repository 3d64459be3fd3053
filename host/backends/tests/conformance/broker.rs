//! The suite of the port to brokers.

mod control;
mod dead_letters;
mod fairness;
mod knows;
mod leaks;
mod leases;
mod many_nodes;
mod model;
mod order;
mod outage;
mod purge;
mod reopening;
mod twins;
mod verdicts;
mod waking;
mod world;
