package dev.penstock.gateway.leases;

/// What a public port carries. One port number may be leased once for each.
public enum Transport {
  TCP,
  UDP
}
