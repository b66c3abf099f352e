package dev.penstock.agent.kubernetes.discovery;

/// Whether the objects of a kind are known.
public sealed interface Availability {
  /// They are, as of some moment.
  ///
  /// @param version in which they are read, such as `v1alpha2`
  record Served(String version) implements Availability {}

  /// The API server has no such kind: there are none.
  record Absent() implements Availability {}

  /// The kind is there, but its objects were never read: nothing may be concluded from their
  /// absence.
  ///
  /// @param why for people, such as `list services is forbidden`
  record Unread(String why) implements Availability {}
}
