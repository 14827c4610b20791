using System.Buffers;
using Matrix.ClientApi.AccountData;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.AccountData;

namespace Matrix.ClientApi.PushRules;

/// <summary>The push rules of users, kept as account data m.push_rules; who changed none has the default ones.</summary>
internal sealed class PushRuleBook(AccountDataStore store, AccountDataWriter writer)
{
    public const string Type = "m.push_rules";

    public async Task<PushRuleSet> LoadAsync(UserId user, CancellationToken ct) => Read(await store.GetAsync(user.Value, "", Type, ct));

    /// <summary>As clients get it: <c>{"global":{...}}</c>.</summary>
    public async Task<ReadOnlyMemory<byte>> GetAsync(UserId user, CancellationToken ct) => Write(await LoadAsync(user, ct), user);

    /// <summary>False when <paramref name="change"/> gives null: nothing is written. No change of another instance is lost.</summary>
    public async Task<bool> UpdateAsync(UserId user, Func<PushRuleSet, PushRuleSet?> change, CancellationToken ct)
    {
        var done = false;
        await writer.UpdateAsync(user.Value, "", Type, current =>
        {
            if (change(Read(current)) is not { } next) return null;
            done = true;
            return Write(next, user);
        }, ct);
        return done;
    }

    private static PushRuleSet Read(ReadOnlyMemory<byte> content) => content.IsEmpty ? PushRuleSet.Default : PushRuleSet.Parse(content.Span) ?? PushRuleSet.Default;

    private static ReadOnlyMemory<byte> Write(PushRuleSet rules, UserId user)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        rules.Write(buffer, user.Value);
        return buffer.WrittenMemory;
    }
}
