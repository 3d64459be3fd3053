//! The sandbox against real components: what good guests get, and what hostile ones do not.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod endless;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod node_memory;
#[cfg(test)]
mod parking;
#[cfg(test)]
mod residue;
#[cfg(test)]
mod world;
