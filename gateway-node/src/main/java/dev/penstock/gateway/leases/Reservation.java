package dev.penstock.gateway.leases;

/// A port that an operator has reserved while the gateway runs: only this tenant is given it.
///
/// @param cluster the tenant's name
public record Reservation(Transport transport, int port, String cluster) {
  /// Why a port cannot be reserved for a tenant.
  enum Obstacle {
    /// By the settings, for another one.
    RESERVED_BY_SETTINGS("is reserved for another cluster in the settings"),
    RESERVED("is reserved for another cluster"),
    TAKEN("is taken by another cluster's tunnel"),
    KEPT("is kept for another cluster's tunnel that was deregistered a while ago");

    private final String text;

    Obstacle(String text) {
      this.text = text;
    }

    /// A sentence that names no tenant.
    String about(int port) {
      return "public port: "
          + port
          + " "
          + text
          + " (expected: a port that nobody else has, or that is released first)";
    }
  }
}
