package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import dev.penstock.config.ConfigReader;
import dev.penstock.gateway.leases.StoreSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the keys of `store` say to the pool of connections.
class StoreConfigTest {
  @TempDir Path directory;

  private Config pool(String keys) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            "store: {url: \"jdbc:postgresql://db/penstock\", " + keys + "}");
    var reader = ConfigReader.open(file, List.of());
    var settings = StoreSettings.of(reader.root().section("store"));
    reader.finish();
    return StoreConfig.of(settings)
        .getConfig("pekko-persistence-jdbc.shared-databases.penstock.db");
  }

  @Test
  void theDatabaseIsToldWhoComesAndIsGivenNoMoreConnectionsThanMayBe() throws Exception {
    Config pool = pool("user: penstock, password: hidden, connections: 5");
    assertThat(pool.getString("url")).startsWith("jdbc:postgresql://db/penstock?");
    assertThat(pool.getString("user")).isEqualTo("penstock");
    assertThat(pool.getString("password")).isEqualTo("hidden");
    assertThat(pool.getInt("maxConnections")).isEqualTo(5);
  }

  @Test
  void thePasswordMayStandInAFile() throws Exception {
    Path file = Files.writeString(directory.resolve("password"), "hidden\n");
    assertThat(pool("user: penstock, password_file: \"" + file + "\"").getString("password"))
        .isEqualTo("hidden");
  }
}
