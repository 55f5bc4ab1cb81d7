module wharf/benches/load

go 1.22
