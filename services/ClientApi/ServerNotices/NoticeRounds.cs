using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;

namespace Matrix.ClientApi.ServerNotices;

/// <summary>Notices that nobody sends by hand: agree to the policy; the server is full.</summary>
internal sealed partial class NoticeRounds(
    NoticeSender sender, UsageStore store, UsageGate usage, HomeserverConfig config, TimeProvider clock, ILogger<NoticeRounds> log)
{
    private const int Portion = 100;

    private long SinceMs => (clock.GetUtcNow() - UsageGate.Month).ToUnixTimeMilliseconds();

    /// <summary>Something may have to be sent, or taken down.</summary>
    public bool AreNeeded => sender.IsEnabled && (config.Accounts.Consent?.NoticeContent is not null || (config.Usage.MaxMonthlyUsers is not null && config.Usage.Alerts));

    public async Task RunAsync(CancellationToken ct)
    {
        if (config.Accounts.Consent is { NoticeContent: { } content } consent) await AskToAgreeAsync(consent, content, ct);
        if (config.Usage.MaxMonthlyUsers is null || !config.Usage.Alerts) return;
        if (await usage.IsFullAsync(ct)) await WarnAsync(ct);
        else await TakeDownAsync(ct);
    }

    private async Task AskToAgreeAsync(ConsentConfig consent, string content, CancellationToken ct)
    {
        for (var after = ""; await store.UnaskedAsync(after, consent.Version, consent.NoticeToGuests, SinceMs, Portion, ct) is { Count: > 0 } users; after = users[^1])
            foreach (var user in users)
                await TryAsync(user, async () =>
                {
                    // Whatever happens in between: a room has one notice of a version.
                    await sender.SendAsync(new Notice(user, EventTypes.Message, null, WithLink(content, ConsentRules.Address(new UserId(user), config)))
                    {
                        TxnId = $"consent {consent.Version}", TxnOwner = "server_notices",
                    }, ct);
                    await store.SetAskedAsync(user, consent.Version, ct);
                }, ct);
    }

    /// <summary>The content with the link in all its texts. Synapse: <c>%(consent_uri)s</c>.</summary>
    internal static byte[] WithLink(string content, string link)
    {
        using var document = JsonDocument.Parse(content);
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions)) Copy(w, document.RootElement, link);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Copy(Utf8JsonWriter w, JsonElement value, string link)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                w.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    w.WritePropertyName(member.Name);
                    Copy(w, member.Value, link);
                }
                w.WriteEndObject();
                break;
            case JsonValueKind.Array:
                w.WriteStartArray();
                foreach (var item in value.EnumerateArray()) Copy(w, item, link);
                w.WriteEndArray();
                break;
            case JsonValueKind.String:
                w.WriteStringValue(value.GetString()!.Replace("%(consent_uri)s", link, StringComparison.Ordinal));
                break;
            default:
                value.WriteTo(w);
                break;
        }
    }

    /// <summary>Spec: client-server-api/#server-notices; a notice that holds on is pinned.</summary>
    private async Task WarnAsync(CancellationToken ct)
    {
        var content = NoticeSender.Write(w =>
        {
            w.WriteString("msgtype", "m.server_notice");
            w.WriteString("body", $"This homeserver has as many active users as it may have, and lets in nobody new.{(config.Usage.AdminContact is { } whom ? $" Its administrator is at {whom}." : "")}");
            w.WriteString("server_notice_type", "m.server_notice.usage_limit_reached");
            w.WriteString("limit_type", "monthly_active_user");
            w.WriteString("admin_contact", config.Usage.AdminContact ?? "");
        });
        for (var after = ""; await store.UnwarnedAsync(after, SinceMs, (long)config.Usage.Trial.TotalMilliseconds, Portion, ct) is { Count: > 0 } users; after = users[^1])
            foreach (var user in users)
                await TryAsync(user, async () =>
                {
                    var (room, eventId) = await sender.SendAsync(new Notice(user, EventTypes.Message, null, content), ct);
                    await store.SetWarningAsync(user, eventId, ct);
                    await sender.SendAsync(room, Pinned(user, $"[\"{eventId}\"]"), ct);
                }, ct);
    }

    private async Task TakeDownAsync(CancellationToken ct)
    {
        for (var after = ""; await store.WarnedAsync(after, Portion, ct) is { Count: > 0 } rooms; after = rooms[^1].UserId)
            foreach (var (user, room) in rooms)
                await TryAsync(user, async () =>
                {
                    await sender.SendAsync(room, Pinned(user, "[]"), ct);
                    await store.SetWarningAsync(user, null, ct);
                }, ct);
    }

    private static Notice Pinned(string user, string events) => new(user, EventTypes.PinnedEvents, "", Encoding.UTF8.GetBytes($"{{\"pinned\":{events}}}"));

    /// <summary>One who cannot be told keeps nobody else from being told; he is tried again in the next round.</summary>
    private async Task TryAsync(string user, Func<Task> send, CancellationToken ct)
    {
        try
        {
            await send();
        }
        catch (Exception e) when (e is not OutOfMemoryException && !ct.IsCancellationRequested)
        {
            LogNotTold(log, e, user);
        }
    }

    [LoggerMessage(4040, LogLevel.Warning, "User {User} could not be sent a server notice")]
    private static partial void LogNotTold(ILogger log, Exception e, string user);
}
