using Matrix.Replication;
using Matrix.ServiceDefaults;

namespace Matrix.Gateway.Fleet;

internal enum BackendHealth
{
    /// <summary>Answers, or has not been asked yet, but does not call itself ready: takes traffic when no other does.</summary>
    Unready,
    Up,
    /// <summary>Cannot be reached: no traffic.</summary>
    Down,
}

/// <summary>An instance as this gateway sees it.</summary>
internal sealed class Backend(ServiceInstance instance)
{
    private const string Multiplexed = InstanceAddresses.MultiplexedScheme + "://";

    private volatile BackendHealth health;
    private volatile TaskCompletionSource poke = NewSignal();
    private volatile TaskCompletionSource used = NewSignal();

    public ServiceInstance Instance { get; } = instance;
    public string Name => Instance.Name;
    /// <summary>Scheme and authority, no slash at the end.</summary>
    public string Origin { get; } = OriginOf(instance.Address.TrimEnd('/'));
    /// <summary>Takes HTTP/2 only: many requests share a connection.</summary>
    public bool IsMultiplexed { get; } = instance.Address.StartsWith(Multiplexed, StringComparison.Ordinal);
    public BackendHealth Health { get => health; set => health = value; }

    /// <summary>Completes when a request could not reach the instance: look at once.</summary>
    public Task Poked => poke.Task;

    public void Poke() => poke.TrySetResult();

    public void ForgetPoke()
    {
        if (poke.Task.IsCompleted) poke = NewSignal();
    }

    /// <summary>Completes when a request goes there.</summary>
    public Task Used => used.Task;

    public void MarkUsed()
    {
        if (!used.Task.IsCompleted) used.TrySetResult();
    }

    public void ForgetUse()
    {
        if (used.Task.IsCompleted) used = NewSignal();
    }

    private static string OriginOf(string address) => address.StartsWith(Multiplexed, StringComparison.Ordinal) ? "http://" + address[Multiplexed.Length..] : address;

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
