package dev.penstock.protocol.net;

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A request to turn a connection into a WebSocket, as the server sees it.
///
/// @param path decoded, without the query
/// @param query decoded parameters
/// @param authorization the header of that name; a secret
/// @param host the header of that name
/// @param userAgent the header of that name
/// @param kubernetes the header [dev.penstock.protocol.control.KubernetesUid#HEADER]
/// @param secure whether the connection has TLS
public record UpgradeRequest(
    String path,
    Map<String, List<String>> query,
    @Nullable String authorization,
    @Nullable String host,
    @Nullable String userAgent,
    @Nullable String kubernetes,
    InetSocketAddress remoteAddress,
    boolean secure) {
  /// The first value of a query parameter.
  public @Nullable String parameter(String name) {
    var values = query.get(name);
    return values == null ? null : values.getFirst();
  }

  @Override
  public String toString() {
    return "UpgradeRequest[" + path + " from " + remoteAddress + "]";
  }
}
