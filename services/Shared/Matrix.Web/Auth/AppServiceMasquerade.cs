using System.Collections.Concurrent;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.AppServices;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>
/// Requests with the <c>as_token</c> of an application service: as its own user, or as one of its namespaces (<c>user_id</c>), with one of his devices
/// (<c>device_id</c>) or none. Spec: application-service-api/#identity-assertion
/// </summary>
public sealed class AppServiceMasquerade(AppServiceRegistrations services, AppServiceUserStore users, HomeserverConfig config) : IStreamConsumer
{
    private const int MaxUsers = 50_000;
    /// <summary>Accounts as they were found, until stream caches says <c>user:ID</c>; those that are refused are read each time.</summary>
    private readonly ConcurrentDictionary<string, AppServiceUserRecord> known = new(StringComparer.Ordinal);
    private long generation;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Caches];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        Interlocked.Increment(ref generation);
        foreach (var row in rows)
            if (row.Key.StartsWith("user:", StringComparison.Ordinal)) known.TryRemove(row.Key[5..], out _);
        return ValueTask.CompletedTask;
    }

    /// <summary>Null: the token is not that of an application service.</summary>
    public AppServiceRegistration? ServiceOf(string token) => services.OfToken(token);

    public async ValueTask<Requester> AuthenticateAsync(AppServiceRegistration service, IQueryCollection query, CancellationToken ct)
    {
        var user = UserOf(service, query["user_id"]);
        var account = known.TryGetValue(user.Value, out var cached) ? cached : await FindAsync(user.Value, ct);
        // Synapse: the service's own user need not be registered.
        if (account is null && user.Value != service.Sender) throw MatrixError.Forbidden("Application service has not registered this user").AsException();
        if (account is { Deactivated: true }) throw MatrixError.UserDeactivated().AsException();
        // MSC3202 is what libraries of bridges still say.
        string? device = query["device_id"].Count > 0 ? query["device_id"].ToString() : query["org.matrix.msc3202.device_id"].Count > 0 ? query["org.matrix.msc3202.device_id"].ToString() : null;
        if (device is not null && !await users.HasDeviceAsync(user.Value, device, ct))
            throw MatrixError.Custom(400, "M_UNKNOWN_DEVICE", "The user has no such device.").AsException();
        return new Requester(user, device ?? "", [], account?.IsAdmin ?? false, false, service.Id)
        {
            IsLocked = account?.Locked ?? false,
            IsSuspended = account?.Suspended ?? false,
            IsShadowBanned = account?.ShadowBanned ?? false,
            RateOverride = account?.RateOverride,
        };
    }

    private UserId UserOf(AppServiceRegistration service, string? wanted)
    {
        if (string.IsNullOrEmpty(wanted)) return new UserId(service.Sender);
        if (!UserId.TryParse(wanted, null, out var user)) throw MatrixError.InvalidParam("'user_id' is no user id").AsException();
        // Synapse: M_FORBIDDEN; M_EXCLUSIVE is for making and logging in users.
        return user.Server == config.ServerName && service.IsInterestedInUser(user.Value)
            ? user : throw MatrixError.Forbidden("Application service cannot masquerade as this user.").AsException();
    }

    private async Task<AppServiceUserRecord?> FindAsync(string userId, CancellationToken ct)
    {
        var before = Interlocked.Read(ref generation);
        var account = await users.FindAsync(userId, ct);
        if (account is null or { Deactivated: true }) return account;
        if (known.Count >= MaxUsers) known.Clear();
        // An invalidation that came in while the row was read wins.
        if (Interlocked.Read(ref generation) == before) known[userId] = account;
        return account;
    }
}
