package dev.penstock.gateway.manage;

import dev.penstock.gateway.cluster.NodeInfo;
import dev.penstock.gateway.cluster.NodeState;
import dev.penstock.gateway.cluster.Nodes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/// The other nodes of the cluster, asked over its messages by the name of their [Desk]. None of
/// them can hold up an answer: one that says nothing within [#TIMEOUT] is named as unanswered, and
/// one that is known to be unreachable is not asked. Safe for use by several threads.
final class Peers {
  /// For one answer of one node.
  static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final ActorSystem<?> system;
  private final @Nullable Nodes nodes;

  /// What was asked of all.
  ///
  /// @param answers by node
  /// @param unanswered nodes that did not answer
  record Answers(Map<String, PeerAnswer> answers, List<String> unanswered) {}

  /// @param nodes null for a gateway alone
  Peers(ActorSystem<?> system, @Nullable Nodes nodes) {
    this.system = system;
    this.nodes = nodes;
  }

  /// How a node is called towards operators.
  static String nameOf(NodeInfo node) {
    return node.id().address().toString();
  }

  /// The other nodes.
  List<NodeInfo> others() {
    Nodes all = nodes;
    return all == null
        ? List.of()
        : all.all().stream().filter(node -> !node.id().equals(all.self().id())).toList();
  }

  /// Asks all other nodes.
  CompletionStage<Answers> ask(PeerQuestion.Kind kind, String about, String text) {
    var unanswered = new ArrayList<String>();
    var asked = new LinkedHashMap<String, CompletableFuture<@Nullable PeerAnswer>>();
    for (NodeInfo node : others()) {
      if (node.state() == NodeState.UNREACHABLE) {
        unanswered.add(nameOf(node));
      } else {
        asked.put(nameOf(node), ask(node, kind, about, text).toCompletableFuture());
      }
    }
    return CompletableFuture.allOf(asked.values().toArray(CompletableFuture<?>[]::new))
        .thenApply(_ -> {
          var answers = new LinkedHashMap<String, PeerAnswer>();
          asked.forEach((node, future) -> {
            PeerAnswer answer = future.getNow(null);
            if (answer == null) {
              unanswered.add(node);
            } else {
              answers.put(node, answer);
            }
          });
          return new Answers(answers, unanswered);
        });
  }

  /// Asks one node; null when it does not answer.
  CompletionStage<@Nullable PeerAnswer> ask(
      NodeInfo node, PeerQuestion.Kind kind, String about, String text) {
    ActorRef<PeerQuestion> desk =
        ActorRefResolver.get(system)
            .resolveActorRef(
                "pekko://" + system.name() + "@" + nameOf(node) + "/system/" + Desk.NAME);
    return AskPattern.<PeerQuestion, PeerAnswer>ask(
            desk,
            replyTo -> new PeerQuestion(kind.name(), about, text, replyTo),
            TIMEOUT,
            system.scheduler())
        .<@Nullable PeerAnswer>handle((answer, _) -> answer);
  }
}
