/// How the agent reaches its gateway, and when it tries again.
@NullMarked
package dev.penstock.agent.connect;

import org.jspecify.annotations.NullMarked;
