package dev.penstock.gateway.rest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.config.ClusterName;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.management.ManagementServer;
import dev.penstock.management.ManagementServer.Answer;
import java.time.Duration;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/// `/reservations` of the management port: operators list, make and end reservations of public
/// ports. Names are such as `tcp/15432`; `?cluster=` says for whom. Any thread.
public final class ReservationPages implements ManagementServer.Items {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration TIMEOUT = Duration.ofSeconds(15);
  private static final Pattern NAME = Pattern.compile("(tcp|udp)/([1-9][0-9]{0,4})");

  private final ActorSystem<?> system;
  private final CompletionStage<ActorRef<Tunnels.Command>> tunnels;
  private final LeasePolicy policy;

  private record Port(Transport transport, int number) {}

  /// @param tunnels completes when there are any; until then every call is answered 503
  public ReservationPages(
      ActorSystem<?> system,
      CompletionStage<ActorRef<Tunnels.Command>> tunnels,
      LeasePolicy policy) {
    this.system = system;
    this.tunnels = tunnels;
    this.policy = policy;
  }

  @Override
  public CompletionStage<Answer> list() {
    return ask(LeaseAuthority::reservations, this::all);
  }

  @Override
  public CompletionStage<Answer> put(String name, Map<String, String> query) {
    Port port = port(name);
    String cluster = query.getOrDefault("cluster", "");
    if (port == null) {
      return unknown(name);
    }
    if (!ClusterName.isOne(cluster)) {
      return CompletableFuture.completedFuture(
          new Answer.Refused(
              400,
              "cluster: \"" + cluster + "\" (expected: " + ClusterName.EXPECTED + ")",
              Duration.ZERO));
    }
    var reservation = new Reservation(port.transport(), port.number(), cluster);
    return ask(leases -> leases.reserve(reservation), _ -> new Answer.Done(""));
  }

  @Override
  public CompletionStage<Answer> remove(String name) {
    Port port = port(name);
    return port == null
        ? unknown(name)
        : ask(
            leases -> leases.unreserve(port.transport(), port.number()), _ -> new Answer.Done(""));
  }

  private static @Nullable Port port(String name) {
    var found = NAME.matcher(name);
    if (!found.matches()) {
      return null;
    }
    int number = Integer.parseInt(found.group(2));
    return number > 65_535
        ? null
        : new Port(Transport.valueOf(found.group(1).toUpperCase(Locale.ROOT)), number);
  }

  private static CompletionStage<Answer> unknown(String name) {
    return CompletableFuture.completedFuture(
        new Answer.Refused(
            404, name + ": no public port (expected: such as tcp/15432)", Duration.ZERO));
  }

  private CompletionStage<Answer> ask(
      Function<LeaseAuthority, CompletionStage<Reserving>> wish,
      Function<Reserving.Done, Answer> done) {
    ActorRef<Tunnels.Command> actor = tunnels.toCompletableFuture().getNow(null);
    if (actor == null) {
      return CompletableFuture.completedFuture(
          new Answer.Refused(
              503, "the gateway is starting; /readyz says how far it is", Duration.ofSeconds(5)));
    }
    return AskPattern.<Tunnels.Command, Reserving>ask(
            actor, replyTo -> new Tunnels.Reserve(wish, replyTo), TIMEOUT, system.scheduler())
        .thenApply(reserving ->
            switch (reserving) {
              case Reserving.Done all -> done.apply(all);
              case Reserving.Conflict(var text) -> new Answer.Refused(409, text, Duration.ZERO);
              case Reserving.Unavailable(var away) ->
                  new Answer.Refused(503, away.text(), away.retryAfter());
            })
        .exceptionally(_ ->
            new Answer.Refused(503, "no answer in time; try again later", Duration.ofSeconds(5)));
  }

  private Answer all(Reserving.Done found) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    var reservations = json.putArray("reservations");
    found.reservations().stream()
        .sorted(Comparator.comparing(Reservation::transport).thenComparingInt(Reservation::port))
        .forEach(it ->
            reservations
                .addObject()
                .put("transport", it.transport().name().toLowerCase(Locale.ROOT))
                .put("port", it.port())
                .put("cluster", it.cluster()));
    var settings = json.putArray("of_settings");
    policy
        .reservations()
        .forEach(it ->
            settings.addObject().put("ports", it.ports().toString()).put("cluster", it.cluster()));
    try {
      return new Answer.Done(JSON.writeValueAsString(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree is always written", e);
    }
  }
}
