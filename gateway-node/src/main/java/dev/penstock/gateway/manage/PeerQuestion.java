package dev.penstock.gateway.manage;

import dev.penstock.gateway.cluster.ClusterMessage;
import org.apache.pekko.actor.typed.ActorRef;

/// What one node asks another for an operator.
///
/// @param kind a name of [Kind]; another release may know more of them
/// @param about the name of a list, or of an action
/// @param text the parameters of a query in JSON, or an id
/// @param replyTo gets one answer
record PeerQuestion(String kind, String about, String text, ActorRef<PeerAnswer> replyTo)
    implements ClusterMessage {
  /// What may be asked.
  enum Kind {
    /// A page of the node's own rows of a list.
    PAGE,
    /// The node's own row with an id.
    FIND,
    /// An action on something of the node's own.
    ACT
  }
}
