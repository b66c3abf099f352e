package dev.penstock.agent.serve;

import java.util.List;

/// All that was found to expose beside the settings' services.
///
/// @param exposures no two with one key
public record Found(List<Exposure> exposures, Duty duty) {
  /// What this agent has to do for them. All agents of a cluster find the same, and one of them
  /// speaks to the gateway.
  public enum Duty {
    /// Serve what the gateway sends here.
    SERVE,
    /// Serve, and tell the gateway what there is and what is gone.
    REGISTER
  }

  public Found {
    exposures = List.copyOf(exposures);
  }
}
