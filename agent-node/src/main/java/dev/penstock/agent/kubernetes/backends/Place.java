package dev.penstock.agent.kubernetes.backends;

/// Where the agent runs.
///
/// @param node its node's name; empty when it is not told
/// @param zone empty when it is not told
public record Place(String node, String zone) {
  public static final Place UNKNOWN = new Place("", "");
}
