//! Variables that Kubernetes and Docker put into a container for every service called `wharf` or `wharf-…`. They begin with our
//! prefix and are not ours: `WHARF_SERVICE_HOST`, `WHARF_PORT=tcp://10.0.0.1:5000`, `WHARF_DB_PORT_5432_TCP_ADDR` and so on.

/// Whether a variable is one of those.
pub(crate) fn is_service_link(name: &str, value: &str) -> bool {
    let address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (address && name.contains("_PORT"))
        || (name.contains("_PORT_") && ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|protocol| name.contains(protocol)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_a_service_called_wharf_are_known() {
        for (name, value) in [
            ("WHARF_SERVICE_HOST", "10.0.0.1"),
            ("WHARF_SERVICE_PORT", "5000"),
            ("WHARF_SERVICE_PORT_HTTP", "5000"),
            ("WHARF_PORT", "tcp://10.0.0.1:5000"),
            ("WHARF_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
            ("WHARF_PORT_5000_TCP_ADDR", "10.0.0.1"),
            ("WHARF_PORT_5000_TCP_PROTO", "tcp"),
            ("WHARF_DB_PORT_5432_TCP_PORT", "5432"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in
            [("WHARF_PORT", "5000"), ("WHARF_LISTEN_PORT", "5000"), ("WHARF_LISTEN_ADDRESS", "tcp://x")]
        {
            assert!(!is_service_link(name, value), "{name}");
        }
    }
}
