//! How many connections there may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::vantage::Peer;

/// Places for connections: those that are served, and a few beyond them that are told to come back, so that health checks
/// still get through when a crowd stands at the door.
pub(super) struct Seats {
    full: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    per_address: Option<u32>,
    addresses: Mutex<HashMap<IpAddr, u32>>,
}

/// A taken place, free again when dropped.
pub(super) struct Seat {
    /// Whether only health checks are answered here.
    pub(super) reserve: bool,
    _permit: OwnedSemaphorePermit,
    counted: Option<(Arc<Seats>, IpAddr)>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// Even the reserve is taken.
    Full,
    /// The address has enough of them.
    Address,
}

impl NoSeat {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

impl Seats {
    pub(super) fn new(limits: &Limits, connections: u32) -> Arc<Self> {
        let places = |number: u32| Arc::new(Semaphore::new(usize::try_from(number).unwrap_or(usize::MAX)));
        Arc::new(Self {
            full: places(connections),
            reserve: places(limits.reserve),
            per_address: limits.connections_per_address,
            addresses: Mutex::default(),
        })
    }

    pub(super) fn take(self: &Arc<Self>, peer: &Peer) -> Result<Seat, NoSeat> {
        let counted = self.count(peer)?.map(|address| (Arc::clone(self), address));
        let (permit, reserve) = match Arc::clone(&self.full).try_acquire_owned() {
            Ok(permit) => (Ok(permit), false),
            Err(_) => (Arc::clone(&self.reserve).try_acquire_owned(), true),
        };
        match permit {
            Ok(permit) => Ok(Seat { reserve, _permit: permit, counted }),
            Err(_) => {
                if let Some((_, address)) = counted {
                    self.forget(address);
                }
                Err(NoSeat::Full)
            }
        }
    }

    /// Behind a proxy that we trust, all clients have its address.
    fn count(&self, peer: &Peer) -> Result<Option<IpAddr>, NoSeat> {
        let Some(most) = self.per_address.filter(|_| !peer.trusted) else { return Ok(None) };
        let mut addresses = self.addresses.lock();
        let number = addresses.entry(peer.address).or_default();
        if *number >= most {
            return Err(NoSeat::Address);
        }
        *number += 1;
        Ok(Some(peer.address))
    }

    fn forget(&self, address: IpAddr) {
        let mut addresses = self.addresses.lock();
        if let Some(number) = addresses.get_mut(&address) {
            *number -= 1;
            if *number == 0 {
                addresses.remove(&address);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((seats, address)) = self.counted.take() {
            seats.forget(address);
        }
    }
}

/// How many connections the limit of open files has room for: half of it, the other half is for files. Raises the limit as
/// far as it goes first, since the usual soft limit of 1024 is there for programs that use select(2).
pub(super) fn affordable_connections() -> u32 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    u32::try_from(open_files / 2).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str, trusted: bool) -> Peer {
        let local = "127.0.0.1:5000".parse().unwrap();
        Peer { address: address.parse().unwrap(), local, trusted, tls: false }
    }

    #[test]
    fn beyond_the_limit_there_is_a_reserve_and_then_nothing() {
        let seats = Seats::new(&Limits { reserve: 1, ..Limits::default() }, 1);
        let first = seats.take(&peer("1.1.1.1", false)).ok().unwrap();
        let second = seats.take(&peer("1.1.1.1", false)).ok().unwrap();
        assert!(!first.reserve && second.reserve);
        assert_eq!(seats.take(&peer("1.1.1.1", false)).err(), Some(NoSeat::Full));
        drop(first);
        assert!(!seats.take(&peer("1.1.1.1", false)).ok().unwrap().reserve);
    }

    #[test]
    fn an_address_has_its_own_limit_but_a_proxy_has_none() {
        let seats = Seats::new(&Limits { connections_per_address: Some(1), ..Limits::default() }, 10);
        let first = seats.take(&peer("1.1.1.1", false)).ok().unwrap();
        assert_eq!(seats.take(&peer("1.1.1.1", false)).err(), Some(NoSeat::Address));
        let _others =
            [seats.take(&peer("2.2.2.2", false)).ok().unwrap(), seats.take(&peer("1.1.1.1", true)).ok().unwrap()];
        drop(first);
        assert!(seats.take(&peer("1.1.1.1", false)).is_ok());
        assert_eq!(seats.addresses.lock().len(), 1);
    }
}
