package dev.penstock.gateway.cluster;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// The settings of the cluster as those of an actor system.
final class ClusterConfig {
  private static final String ARTERY = "pekko.remote.artery.";
  private static final String KEYS = ARTERY + "ssl.rotating-keys-engine.";

  private ClusterConfig() {}

  static Config of(ClusterSettings settings) {
    Map<String, Object> keys = new HashMap<>();
    keys.put(ARTERY + "canonical.hostname", settings.listen().host());
    keys.put(ARTERY + "canonical.port", settings.listen().port());
    // Behind the ControlPort.
    keys.put(ARTERY + "bind.hostname", InetAddress.getLoopbackAddress().getHostAddress());
    keys.put(ARTERY + "bind.port", 0);
    if (isOneAddress(settings.bind().host())) {
      // The others see where a connection comes from, as they would between machines.
      keys.put(ARTERY + "advanced.tcp.outbound-client-hostname", settings.bind().host());
    }
    var tls = settings.tls();
    if (tls != null) {
      keys.put(ARTERY + "transport", "tls-tcp");
      keys.put(
          ARTERY + "ssl.ssl-engine-provider",
          "org.apache.pekko.remote.artery.tcp.ssl.RotatingKeysSSLEngineProvider");
      keys.put(KEYS + "key-file", tls.key().toAbsolutePath().toString());
      keys.put(KEYS + "cert-file", tls.cert().toAbsolutePath().toString());
      keys.put(KEYS + "ca-cert-file", tls.ca().toAbsolutePath().toString());
    }
    keys.put("pekko.cluster.app-version", settings.appVersion());
    keys.put(
        "pekko.cluster.failure-detector.acceptable-heartbeat-pause", settings.unreachableAfter());
    keys.put("pekko.cluster.split-brain-resolver.stable-after", settings.downAfter());
    keys.put("pekko.cluster.split-brain-resolver.active-strategy", settings.splitBrain().label());
    Duration leave = settings.leaveTimeout();
    for (String phase :
        new String[] {"cluster-sharding-shutdown-region", "cluster-leave", "cluster-exiting"}) {
      keys.put("pekko.coordinated-shutdown.phases." + phase + ".timeout", leave);
    }
    keys.put("penstock.node.end-timeout", leave.plusSeconds(5));
    keys.put(JoinRules.NAME, settings.name());
    keys.put(JoinRules.DIGEST, digest(settings));
    return ConfigFactory.parseMap(keys)
        .withFallback(ConfigFactory.parseResources(ClusterConfig.class, "cluster.conf"));
  }

  /// Of the secret, with the name in it so that two clusters that share a secret by mistake are
  /// two.
  private static String digest(ClusterSettings settings) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(
          new SecretKeySpec(
              settings.secret().reveal().getBytes(StandardCharsets.US_ASCII), "HmacSHA256"));
      byte[] digest =
          mac.doFinal(("penstock cluster " + settings.name()).getBytes(StandardCharsets.US_ASCII));
      return HexFormat.of().formatHex(digest);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has HmacSHA256", e);
    }
  }

  private static boolean isOneAddress(String host) {
    try {
      return !InetAddress.ofLiteral(host).isAnyLocalAddress();
    } catch (IllegalArgumentException _) {
      return false;
    }
  }
}
