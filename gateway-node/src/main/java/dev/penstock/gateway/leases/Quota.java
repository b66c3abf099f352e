package dev.penstock.gateway.leases;

/// What one cluster may have, so that none takes all the memory.
///
/// @param tunnels registered at a time
/// @param characters of their registrations together
public record Quota(int tunnels, long characters) {
  /// Characters of one registration.
  public static final int MAX_CHARACTERS = 512 * 1024;

  private static final long ALL_CHARACTERS = 64L * 1024 * 1024;

  /// With 64 Mi characters of registrations.
  public static Quota ofTunnels(int tunnels) {
    return new Quota(tunnels, ALL_CHARACTERS);
  }
}
