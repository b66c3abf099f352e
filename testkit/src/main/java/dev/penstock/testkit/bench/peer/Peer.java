package dev.penstock.testkit.bench.peer;

import java.io.IOException;
import java.util.List;

/// A tunnel that can be measured: knows its programs and its configuration, holds no state.
public interface Peer {
  /// The name in options and tables; lower case.
  String name();

  /// The programs it needs; empty when it needs none.
  List<Tool> tools();

  /// Sockets that one visitor takes in the process that holds most of them; decides how many idle
  /// connections the limit of file descriptors allows.
  int socketsPerVisitor();

  /// How long it runs before its numbers mean something.
  WarmUp warmUp();

  /// Whether the public port leads to the target's UDP port too.
  default boolean carriesUdp() {
    return false;
  }

  /// The configuration in one sentence, for the report.
  String note();

  /// Starts its processes in the given place; returns when they were started, not when they work.
  ///
  /// @return the public port on 127.0.0.1 that leads to the target
  /// @throws IOException when a process cannot be started or ends at once
  int start(Site site) throws IOException;
}
