package dev.penstock.gateway.cluster;

import java.io.IOException;
import java.util.List;

/// Where the nodes of a cluster leave their signs of life: the database that they share. Every
/// method blocks; one thread at a time.
public interface PulseStore extends AutoCloseable {
  /// The last sign of every node, dead ones among them.
  ///
  /// @throws IOException when the database does not answer
  List<Pulse> all() throws IOException;

  /// Replaces what there is of the node's address.
  ///
  /// @throws IOException when the database does not answer
  void write(Pulse pulse) throws IOException;

  /// Removes the sign of this life of the node, when it is there.
  ///
  /// @throws IOException when the database does not answer
  void remove(NodeId node) throws IOException;

  /// Lets go of the database.
  @Override
  void close();
}
