using Matrix.ServiceDefaults;

namespace Matrix.Unit.Configuration;

public sealed class AccountConfigTests : IDisposable
{
    private readonly ConfigFolder folder = new();

    public void Dispose() => folder.Dispose();

    private AccountsConfig Accounts(string yaml) => folder.With(yaml).Accounts;

    [Fact]
    public void Who_reads_and_changes_profiles_is_read()
    {
        var defaults = Accounts("").Profiles;
        Assert.Equal((false, false, true, true, true, true), (
            defaults.RequireAuth, defaults.SharedRoomsOnly, defaults.OverFederation, defaults.SetDisplayName, defaults.SetAvatarUrl, defaults.OnInvite));
        Assert.True(Accounts("require_auth_for_profile_requests: true").Profiles.RequireAuth);
        Assert.True(Accounts("limit_profile_requests_to_users_who_share_rooms: true").Profiles.SharedRoomsOnly);
        Assert.False(Accounts("allow_profile_lookup_over_federation: false").Profiles.OverFederation);
        Assert.False(Accounts("enable_set_displayname: false").Profiles.SetDisplayName);
        Assert.False(Accounts("enable_set_avatar_url: false").Profiles.SetAvatarUrl);
        Assert.False(Accounts("include_profile_data_on_invite: false").Profiles.OnInvite);
    }

    [Fact]
    public void What_may_be_an_avatar_is_read()
    {
        var defaults = Accounts("").Profiles;
        Assert.Null(defaults.MaxAvatarSize);
        Assert.Empty(defaults.AvatarTypes);
        var profiles = Accounts("max_avatar_size: 10M\nallowed_avatar_mimetypes: [image/png, image/gif]").Profiles;
        Assert.Equal(10L << 20, profiles.MaxAvatarSize);
        Assert.Equal(["image/png", "image/gif"], profiles.AvatarTypes);
        Assert.Contains("max_avatar_size", folder.FaultsWith("max_avatar_size: large"));
    }

    [Fact]
    public void Whether_it_is_told_that_a_name_is_taken_is_read()
    {
        Assert.False(Accounts("").InhibitUserInUse);
        Assert.True(Accounts("inhibit_user_in_use_error: true").InhibitUserInUse);
    }

    [Fact]
    public void Lifetimes_of_sessions_tokens_proofs_and_devices_are_read()
    {
        var defaults = Accounts("");
        Assert.Equal((null, TimeSpan.FromMinutes(5), null, null), (
            defaults.Sessions.SessionLifetime, defaults.Sessions.RefreshableAccessToken, defaults.Sessions.RefreshToken, defaults.Sessions.NonRefreshableAccessToken));
        Assert.Equal((TimeSpan.Zero, null), (defaults.ProofLifetime, defaults.DeleteDevicesAfter));
        var sessions = Accounts("session_lifetime: 24h\nrefreshable_access_token_lifetime: 10m\nrefresh_token_lifetime: 12h\nnonrefreshable_access_token_lifetime: 1h").Sessions;
        Assert.Equal((TimeSpan.FromHours(24), TimeSpan.FromMinutes(10), TimeSpan.FromHours(12), TimeSpan.FromHours(1)), (
            sessions.SessionLifetime!.Value, sessions.RefreshableAccessToken!.Value, sessions.RefreshToken!.Value, sessions.NonRefreshableAccessToken!.Value));
        Assert.Equal(TimeSpan.FromSeconds(15), Accounts("ui_auth: { session_timeout: 15s }").ProofLifetime);
        Assert.Equal(TimeSpan.FromDays(365), Accounts("delete_stale_devices_after: 1y").DeleteDevicesAfter);
    }

    [Fact]
    public void Rooms_that_everybody_is_in_are_read()
    {
        Assert.Equal(new AutoJoinConfig().ToString(), Accounts("").AutoJoin.ToString());
        var joins = Accounts("""
            auto_join_rooms: ['#welcome:example.org', '#space:elsewhere.example']
            autocreate_auto_join_rooms: false
            autocreate_auto_join_rooms_federated: false
            autocreate_auto_join_room_preset: private_chat
            auto_join_mxid_localpart: system
            auto_join_rooms_for_guests: false
            """).AutoJoin;
        Assert.Equal(["#welcome:example.org", "#space:elsewhere.example"], joins.Rooms);
        Assert.Equal((false, false, "private_chat", "system", false), (joins.Create, joins.Federated, joins.Preset, joins.Localpart, joins.ForGuests));
    }

    [Theory]
    [InlineData("auto_join_rooms: ['!id:example.org']", "auto_join_rooms")]
    [InlineData("autocreate_auto_join_room_preset: open", "autocreate_auto_join_room_preset")]
    [InlineData("autocreate_auto_join_room_preset: private_chat", "auto_join_mxid_localpart is missing")]
    [InlineData("auto_join_mxid_localpart: 'A B'", "auto_join_mxid_localpart: ")]
    public void Rooms_that_nobody_could_join_are_a_fault(string yaml, string fault) => Assert.Contains(fault, folder.FaultsWith(yaml));
}
