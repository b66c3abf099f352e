package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.Set;
import javax.naming.Context;
import javax.naming.NamingException;
import javax.naming.directory.Attribute;
import javax.naming.directory.InitialDirContext;

/// Nodes by a name in DNS: SRV records when it begins with `_`, else addresses.
///
/// @param name what is looked up
/// @param port of nodes whose record does not say one
/// @param servers such as `dns://127.0.0.1:53`; empty takes the system's. Only SRV records are
///   asked for there
record DnsLookup(String name, int port, String servers) implements Lookup {
  private static final int MAX_NODES = 256;

  @Override
  public Set<HostPort> nodes() throws IOException {
    var nodes = new HashSet<HostPort>();
    if (name.startsWith("_")) {
      for (String record : services()) {
        // Priority, weight, port, target.
        String[] fields = record.split(" ", -1);
        if (fields.length == 4 && nodes.size() < MAX_NODES) {
          add(nodes, fields[3].replaceAll("\\.$", ""), Integer.parseInt(fields[2]));
        }
      }
    } else {
      add(nodes, name, port);
    }
    return nodes;
  }

  private static void add(Set<HostPort> nodes, String host, int port) throws IOException {
    try {
      for (InetAddress address : InetAddress.getAllByName(host)) {
        nodes.add(new HostPort(address.getHostAddress(), port));
      }
    } catch (UnknownHostException e) {
      throw new IOException("no address for " + host, e);
    }
  }

  /// DNS through JNDI answers with texts and makes no objects of them.
  @SuppressWarnings({"BanJNDI", "JdkObsolete"})
  private Set<String> services() throws IOException {
    var environment = new Hashtable<String, String>();
    environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.dns.DnsContextFactory");
    environment.put("com.sun.jndi.dns.timeout.initial", "1000");
    environment.put("com.sun.jndi.dns.timeout.retries", "2");
    if (!servers.isEmpty()) {
      environment.put(Context.PROVIDER_URL, servers);
    }
    try {
      var context = new InitialDirContext(environment);
      try {
        Attribute records = context.getAttributes(name, new String[] {"SRV"}).get("SRV");
        var services = new HashSet<String>();
        for (int i = 0; records != null && i < records.size(); i++) {
          services.add(String.valueOf(records.get(i)));
        }
        return services;
      } finally {
        context.close();
      }
    } catch (NamingException e) {
      throw new IOException("no SRV records for " + name + ": " + e.getMessage(), e);
    }
  }
}
