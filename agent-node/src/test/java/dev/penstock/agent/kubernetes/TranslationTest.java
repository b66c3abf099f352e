package dev.penstock.agent.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.backends.BackendChooser;
import dev.penstock.agent.kubernetes.backends.BackendsView;
import dev.penstock.agent.kubernetes.backends.Place;
import dev.penstock.agent.kubernetes.discovery.Backend;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions;
import dev.penstock.agent.kubernetes.discovery.GatewayLabel;
import dev.penstock.agent.kubernetes.discovery.Grant;
import dev.penstock.agent.kubernetes.discovery.TunnelKey;
import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.agent.serve.Backends;
import dev.penstock.agent.serve.Exposure;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.RoutingSettings;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.net.ProxyHeader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TranslationTest {
  private static final BackendsView NOTHING =
      new BackendsView() {
        @Override
        public Optional<Service> service(ObjectRef service) {
          return Optional.empty();
        }

        @Override
        public List<EndpointSlice> slices(ObjectRef service) {
          return List.of();
        }
      };

  @TempDir Path directory;

  private AgentSettings settings(String more) throws IOException {
    return AgentSettings.load(
        Files.writeString(
            directory.resolve("agent.yaml"),
            "pipeops: {api_url: \"http://g:8080\", token: s3cret}\n" + more),
        Map.of());
  }

  @Test
  void discoveryIsToldWhatTheSettingsSay() throws IOException {
    var settings =
        settings(
            """
            tunnels:
              routing: {force_tunnel_mode: false, dual_mode_enabled: false}
              discovery:
                tcp: {gateway_label: "expose=yes"}
                udp: {enabled: false}
            kubernetes:
              backend_mode: cluster-ip
              trust_owner: false
              reference_grants: warn
              watch_namespaces: [a, b]
              node: n1
              zone: z1
            """);
    assertThat(Translation.options(settings, "lab"))
        .isEqualTo(
            new DiscoveryOptions(
                "lab",
                Optional.of(new GatewayLabel("expose", "yes")),
                Optional.empty(),
                new RoutingSettings(RoutingSettings.ForceTunnel.OFF, RoutingSettings.DualMode.OFF),
                DiscoveryOptions.TrustOwner.NEVER,
                DiscoveryOptions.GrantPolicy.WARN,
                Dialling.CLUSTER_IP,
                Set.of("a", "b")));
    assertThat(Translation.place(settings.kubernetes())).isEqualTo(new Place("n1", "z1"));
  }

  @Test
  void theDefaultsAreThoseOfTheOriginalsPage() throws IOException {
    assertThat(Translation.options(settings(""), "lab"))
        .isEqualTo(
            new DiscoveryOptions(
                "lab",
                Optional.of(new GatewayLabel("pipeops.io/managed", "true")),
                Optional.of(new GatewayLabel("pipeops.io/managed", "true")),
                new RoutingSettings(RoutingSettings.ForceTunnel.ON, RoutingSettings.DualMode.ON),
                DiscoveryOptions.TrustOwner.AUTO,
                DiscoveryOptions.GrantPolicy.ENFORCE,
                Dialling.ENDPOINTS,
                Set.of()));
  }

  private static DesiredTunnel tunnel(PortPolicy policy, List<Backend> backends) {
    return new DesiredTunnel(
        new TunnelKey("lab", Protocol.TCP, new ObjectRef(Kind.GATEWAY, "web", "front"), "db"),
        5432,
        policy,
        RoutingMode.DUAL,
        Optional.of(new HostPort("192.0.2.1", 5432)),
        List.of(),
        backends,
        Dialling.ENDPOINTS,
        ProxyHeader.V2,
        Optional.of(Duration.ofDays(2)),
        Map.of("penstock.dev/max-connections", "7"));
  }

  private Exposure exposure(PortPolicy policy, List<Backend> backends) throws IOException {
    return Translation.exposure(
        tunnel(policy, backends),
        settings(""),
        new BackendChooser(Place.UNKNOWN, List.of()),
        NOTHING);
  }

  @Test
  void theGatewayIsToldOfTheListenerAndItsFirstService() throws IOException {
    List<Backend> backends =
        List.of(
            new Backend.Invalid(1, "gone"),
            new Backend.ToService(1, new ObjectRef(Kind.SERVICE, "data", "pg"), "main", 5433));
    var exposure = exposure(PortPolicy.EXACT, backends);
    var told = exposure.registration("lab");
    assertThat(exposure.id("lab"))
        .isEqualTo(told.tunnelId())
        .isEqualTo("tcp-lab:gateway:web:front:db");
    assertThat(told.gatewayNamespace()).isEqualTo("web");
    assertThat(told.gatewayName()).isEqualTo("front");
    assertThat(told.gatewayPort()).isEqualTo(5432);
    assertThat(told.tunnelPort()).isEqualTo(5432);
    assertThat(told.serviceNamespace()).isEqualTo("data");
    assertThat(told.serviceName()).isEqualTo("pg");
    assertThat(told.servicePort()).isEqualTo(5433);
    assertThat(told.routingMode()).isEqualTo(RoutingMode.DUAL);
    assertThat(told.publicEndpoint()).isEqualTo("192.0.2.1:5432");
    assertThat(told.annotations()).containsEntry("penstock.dev/max-connections", "7");
    assertThat(exposure.leadsTo()).isEqualTo("nowhere (gone), data/pg:5433");
    assertThat(exposure.proxyProtocol()).isEqualTo(ProxyHeader.V2);
    assertThat(exposure.tcp().idleTimeout()).isEqualTo(Duration.ofDays(2));
    assertThat(exposure.udp().sessionTimeout()).isEqualTo(Duration.ofDays(1));
    assertThat(exposure(PortPolicy.ALLOCATE, backends).told().tunnelPort()).isNull();
  }

  @Test
  void aTunnelThatLeadsNowhereIsToldWithoutAServiceAndRefusesItsClients() throws IOException {
    var exposure = exposure(PortPolicy.EXACT, List.of());
    assertThat(exposure.told().hasService()).isFalse();
    assertThat(exposure.backends().choose(null)).isInstanceOf(Backends.Choice.Nowhere.class);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "409: port 15432 belongs to another tunnel                   | PORT",
        "409: tunnel_port: 80 (expected: one of 10000-35000)         | PORT",
        "400: protocol: udp (expected: tcp, as before)               | IDENTITY",
        "tunnel_id: named before in this sync (expected: once)       | IDENTITY",
        "503: the leases of the cluster cannot be written down       | OTHER",
        "reported by a gateway                                       | OTHER",
      })
  void aRefusalIsSortedByWhatItSpeaksOf(String why, Grant.Cause cause) {
    assertThat(Translation.grant(new Grants.Grant.Refused(why)))
        .isEqualTo(new Grant.Refused(cause, why));
  }

  @Test
  void anAnswerWithAPortIsItsAddressAndOneWithoutIsOnlyKnown() {
    assertThat(
            Translation.grant(
                new Grants.Grant.Given(
                    new TunnelRegistered("t", Protocol.TCP, 15432, "gw.example.com:15432"))))
        .isEqualTo(new Grant.Granted(new HostPort("gw.example.com", 15432)));
    assertThat(
            Translation.grant(
                new Grants.Grant.Given(
                    new TunnelRegistered("t", Protocol.TCP, TunnelRegistered.NO_PORT, "x:1"))))
        .isEqualTo(new Grant.Known());
  }
}
