package dev.penstock.agent.connect;

import dev.penstock.agent.serve.Exposure;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelSync;
import dev.penstock.protocol.control.TunnelsSynced;
import dev.penstock.protocol.net.HttpCall;
import dev.penstock.protocol.net.Loop;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/// The REST calls that register tunnels and learn their public addresses. Any thread.
public final class TunnelClient {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final Outbound outbound;

  public TunnelClient(Outbound outbound) {
    this.outbound = outbound;
  }

  /// The gateway answered, and not with a port: the text says why.
  public static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Refused(String message) {
      super(message, null, false, false);
    }
  }

  /// What became of a [#sync].
  public sealed interface Sync {
    /// The gateway has looked at every tunnel.
    record Done(TunnelsSynced answer) implements Sync {}

    /// The gateway has no such call: each tunnel is to be registered by itself.
    record NotServed() implements Sync {}
  }

  /// Whether so many tunnels are registered in one call. One alone is not: a gateway takes what a
  /// sync does not name for gone.
  public static boolean isForSync(int tunnels) {
    return tunnels > 1 && tunnels <= TunnelSync.MAX_ENTRIES;
  }

  /// Registers all of these at once, and lets the gateway forget those that no agent of the cluster
  /// has named for a while. Fails with [Refused], or with what the connection failed with.
  public CompletionStage<Sync> sync(Loop loop, String clusterId, Collection<Exposure> exposed) {
    var tunnels = exposed.stream().map(one -> one.registration(clusterId)).toList();
    return post(loop, clusterId, "/sync", TunnelSync.encode(clusterId, tunnels))
        .thenApply(TunnelClient::synced);
  }

  private static Sync synced(HttpCall.Answer answer) {
    if (answer.status() == 404 || answer.status() == 405) {
      return new Sync.NotServed();
    }
    try {
      if (answer.status() == 200) {
        return new Sync.Done(TunnelsSynced.decode(answer.body()));
      }
      throw new Refused(answer.status() + ": " + Problem.decode(answer.body()).detail());
    } catch (MalformedMessage e) {
      throw nonsense(answer, e);
    }
  }

  /// Registers one tunnel. Fails with [Refused], or with what the connection failed with.
  public CompletionStage<TunnelRegistered> register(
      Loop loop, String clusterId, Exposure exposure) {
    return post(loop, clusterId, "", exposure.registration(clusterId).encode())
        .thenApply(TunnelClient::answer);
  }

  /// Deregisters a tunnel, also one that the gateway does not know. Fails with [Refused], or with
  /// what the connection failed with.
  public CompletionStage<Void> deregister(Loop loop, String clusterId, String tunnelId) {
    URI api = outbound.api().current();
    return HttpCall.delete(
            outbound.loops(),
            loop,
            URI.create(
                url(api, clusterId) + "/" + URLEncoder.encode(tunnelId, StandardCharsets.UTF_8)),
            outbound.headers(),
            outbound.tls(),
            TIMEOUT)
        .whenComplete((_, failed) -> {
          if (failed != null) {
            outbound.api().failed(api);
          }
        })
        .thenAccept(TunnelClient::deregistered);
  }

  private static void deregistered(HttpCall.Answer answer) {
    if (answer.status() == 204 || answer.status() == 200 || answer.status() == 404) {
      return;
    }
    try {
      throw new Refused(answer.status() + ": " + Problem.decode(answer.body()).detail());
    } catch (MalformedMessage e) {
      throw nonsense(answer, e);
    }
  }

  private CompletionStage<HttpCall.Answer> post(
      Loop loop, String clusterId, String path, String body) {
    URI api = outbound.api().current();
    return HttpCall.postJson(
            outbound.loops(),
            loop,
            URI.create(url(api, clusterId) + path),
            outbound.headers(),
            body,
            outbound.tls(),
            TIMEOUT)
        .whenComplete((_, failed) -> {
          if (failed != null) {
            outbound.api().failed(api);
          }
        });
  }

  private static URI url(URI api, String clusterId) {
    String base = api.toString().replaceAll("/+$", "");
    return URI.create(
        base
            + "/api/v1/clusters/agent/"
            + URLEncoder.encode(clusterId, StandardCharsets.UTF_8)
            + "/tunnels");
  }

  private static TunnelRegistered answer(HttpCall.Answer answer) {
    try {
      if (answer.status() == 200 || answer.status() == 201) {
        return TunnelRegistered.decode(answer.body());
      }
      throw new Refused(answer.status() + ": " + Problem.decode(answer.body()).detail());
    } catch (MalformedMessage e) {
      throw nonsense(answer, e);
    }
  }

  private static CompletionException nonsense(HttpCall.Answer answer, MalformedMessage why) {
    return new CompletionException(
        new Refused(
            "status "
                + answer.status()
                + ", and an answer that makes no sense: "
                + why.getMessage()));
  }
}
