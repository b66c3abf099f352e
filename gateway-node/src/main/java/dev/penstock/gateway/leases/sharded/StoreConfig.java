package dev.penstock.gateway.leases.sharded;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.penstock.config.Secret;
import dev.penstock.gateway.leases.StoreSettings;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// What Pekko is told so that the entities find their store.
final class StoreConfig {
  private static final String POSTGRESQL = "jdbc:postgresql:";
  private static final String DATABASE = "pekko-persistence-jdbc.shared-databases.penstock";

  private StoreConfig() {}

  /// The settings of the journal, the snapshots, the serializer and the sharding.
  static Config of(StoreSettings store) {
    var values = new HashMap<String, Object>();
    boolean postgresql = url(store).startsWith(POSTGRESQL);
    values.put(
        DATABASE + ".profile",
        postgresql ? "slick.jdbc.PostgresProfile$" : "slick.jdbc.H2Profile$");
    values.put(DATABASE + ".db.driver", postgresql ? "org.postgresql.Driver" : "org.h2.Driver");
    values.put(DATABASE + ".db.url", url(store));
    String user = store.user();
    if (user != null) {
      values.put(DATABASE + ".db.user", user);
    }
    Secret password = store.password();
    if (password != null) {
      values.put(DATABASE + ".db.password", password.reveal());
    }
    values.put(DATABASE + ".db.numThreads", store.connections());
    values.put(DATABASE + ".db.maxConnections", store.connections());
    return ConfigFactory.parseMap(Map.copyOf(values))
        .withFallback(ConfigFactory.parseResources(StoreConfig.class, "leases.conf"))
        .withFallback(ConfigFactory.empty());
  }

  /// The URL with what keeps acknowledged events and what notices a server that is gone, unless the
  /// operator has said otherwise.
  static String url(StoreSettings store) {
    String url = store.url();
    if (url == null) {
      throw new IllegalArgumentException("store.url: missing (expected: a JDBC URL)");
    }
    if (url.startsWith(POSTGRESQL)) {
      url = with(url, url.contains("?") ? "&" : "?", "connectTimeout", "3");
      url = with(url, "&", "socketTimeout", "10");
      return with(url, "&", "tcpKeepAlive", "true");
    }
    url = with(url, ";", "WRITE_DELAY", "0");
    return with(url, ";", "DB_CLOSE_ON_EXIT", "FALSE");
  }

  private static String with(String url, String separator, String key, String value) {
    return url.toLowerCase(Locale.ROOT).contains(key.toLowerCase(Locale.ROOT) + "=")
        ? url
        : url + separator + key + "=" + value;
  }
}
