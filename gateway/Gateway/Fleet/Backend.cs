using Matrix.Replication;

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
    private volatile BackendHealth health;
    private volatile TaskCompletionSource poke = NewPoke();
    private int used;

    public ServiceInstance Instance { get; } = instance;
    public string Name => Instance.Name;
    /// <summary>Scheme and authority, no slash at the end.</summary>
    public string Origin { get; } = instance.Address.TrimEnd('/');
    public BackendHealth Health { get => health; set => health = value; }

    /// <summary>Completes when a request could not reach the instance: look at once.</summary>
    public Task Poked => poke.Task;

    public void Poke() => poke.TrySetResult();

    public void ForgetPoke()
    {
        if (poke.Task.IsCompleted) poke = NewPoke();
    }

    public void MarkUsed() => used = 1;

    /// <summary>Whether it had traffic since the last time this was asked.</summary>
    public bool TakeUsed() => Interlocked.Exchange(ref used, 0) != 0;

    private static TaskCompletionSource NewPoke() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
