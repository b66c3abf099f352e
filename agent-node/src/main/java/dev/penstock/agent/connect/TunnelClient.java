package dev.penstock.agent.connect;

import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.net.HttpCall;
import dev.penstock.protocol.net.Loop;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/// The REST call that registers a tunnel and learns its public address. Any thread.
public final class TunnelClient {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final Outbound outbound;

  public TunnelClient(Outbound outbound) {
    this.outbound = outbound;
  }

  /// The gateway answered, and not with a port: the text says why.
  public static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refused(String message) {
      super(message, null, false, false);
    }
  }

  /// The tunnel id of one of our services: the same for every agent of a cluster.
  public static String tunnelId(String clusterId, ServiceSettings service) {
    return service.protocol().label()
        + "-"
        + clusterId
        + "-"
        + service.name()
        + "-"
        + service.port();
  }

  /// Registers `service`. Fails with [Refused], or with what the connection failed with.
  public CompletionStage<TunnelRegistered> register(
      Loop loop, String clusterId, ServiceSettings service) {
    var registration =
        TunnelRegistration.of(
                service.protocol(),
                tunnelId(clusterId, service),
                service.name(),
                service.target().port())
            .cluster(clusterId)
            .gateway("", service.name(), service.port())
            .annotations(service.access().annotations())
            .routingMode(service.routingMode())
            .publicEndpoint(service.publicEndpoint().map(HostPort::toString).orElse(""));
    service.publicPort().ifPresent(registration::tunnelPort);
    URI api = outbound.api().current();
    return HttpCall.postJson(
            outbound.loops(),
            loop,
            url(api, clusterId),
            outbound.headers(),
            registration.build().encode(),
            outbound.tls(),
            TIMEOUT)
        .whenComplete((_, failed) -> {
          if (failed != null) {
            outbound.api().failed(api);
          }
        })
        .thenApply(TunnelClient::answer);
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
      throw new CompletionException(
          new Refused(
              "status "
                  + answer.status()
                  + ", and an answer that makes no sense: "
                  + e.getMessage()));
    }
  }
}
