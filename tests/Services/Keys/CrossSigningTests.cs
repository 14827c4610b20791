using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Keys that sign keys: who may upload what, and who sees what was signed.</summary>
public sealed class CrossSigningTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Upload = $"{V3}/keys/device_signing/upload";
    private const string Signatures = $"{V3}/keys/signatures/upload";

    private static object Proof(TestUser user) =>
        new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password };

    private async Task<CrossSigningSet> NewSetAsync(TestUser? user = null)
    {
        var set = new CrossSigningSet(user ?? await api.RegisterUserAsync());
        (await api.PostAsync(set.User, Upload, set.Upload())).RequireOk();
        return set;
    }

    private async Task<Signer> DeviceAsync(TestUser user)
    {
        var device = new Signer();
        (await api.UploadAsync(user, new { device_keys = device.DeviceKeys(user) })).RequireOk();
        return device;
    }

    private async Task<JsonElement> SignAsync(TestUser by, string ofUser, string keyId, object signed) =>
        (await api.PostAsync(by, Signatures, new Dictionary<string, object> { [ofUser] = new Dictionary<string, object> { [keyId] = signed } }))
            .RequireOk().Body.GetProperty("failures");

    private async Task<string?> FailureAsync(TestUser by, string ofUser, string keyId, object signed) =>
        (await SignAsync(by, ofUser, keyId, signed)).At(ofUser, keyId, "errcode")?.GetString();

    // ---------------------------------------------------------------- keys

    [Fact]
    public async Task The_first_keys_need_no_proof_and_the_same_again_neither()
    {
        var set = await NewSetAsync();
        var rows = await api.RowsAsync("device_lists", set.User);
        (await api.PostAsync(set.User, Upload, set.Upload())).RequireOk();
        Assert.Equal(rows, await api.RowsAsync("device_lists", set.User));
        var told = await api.QueryAsync(set.User, set.User);
        foreach (var (section, key) in new[] { ("master_keys", set.Master), ("self_signing_keys", set.SelfSigning), ("user_signing_keys", set.UserSigning) })
            Assert.Equal(key.Public, told.At(section, set.User.Id, "keys", key.KeyId)?.GetString());
        Assert.Null(told.At("master_keys", set.User.Id, "signatures"));
    }

    [Fact]
    public async Task Other_keys_need_a_proof()
    {
        var set = await NewSetAsync();
        var other = new CrossSigningSet(set.User);
        var challenge = await api.PostAsync(set.User, Upload, other.Upload());
        Assert.Equal(401, challenge.Status);
        var newUserSigning = new { user_signing_key = set.Master.Sign(new Signer().As("user_signing", set.User.Id), set.User.Id) };
        Assert.Equal(401, (await api.PostAsync(set.User, Upload, newUserSigning)).Status);
        var wrong = await api.PostAsync(set.User, Upload, other.Upload(Proof(set.User with { Password = "wrong" })));
        Assert.Equal(401, wrong.Status);
        Assert.NotNull((await api.QueryAsync(set.User, set.User)).At("master_keys", set.User.Id, "keys", set.Master.KeyId));
        (await api.PostAsync(set.User, Upload, other.Upload(Proof(set.User)))).RequireOk();
        Assert.NotNull((await api.QueryAsync(set.User, set.User)).At("master_keys", set.User.Id, "keys", other.Master.KeyId));
    }

    [Fact]
    public async Task A_master_key_alone_makes_the_keys_void_that_the_old_one_signed()
    {
        var set = await NewSetAsync();
        var master = new Signer();
        (await api.PostAsync(set.User, Upload, new { master_key = master.As("master", set.User.Id), auth = Proof(set.User) })).RequireOk();
        var told = await api.QueryAsync(set.User, set.User);
        Assert.NotNull(told.At("master_keys", set.User.Id, "keys", master.KeyId));
        Assert.Null(told.At("self_signing_keys", set.User.Id));
        Assert.Null(told.At("user_signing_keys", set.User.Id));
    }

    [Fact]
    public async Task Only_the_first_of_two_first_uploads_at_once_counts()
    {
        for (var round = 0; round < 5; round++)
        {
            var user = await api.RegisterUserAsync();
            var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => api.PostAsync(user, Upload, new CrossSigningSet(user).Upload())));
            Assert.Single(answers, a => a.Status == 200);
        }
    }

    [Fact]
    public async Task Keys_must_be_signed_by_the_master_key()
    {
        var user = await api.RegisterUserAsync();
        var (master, stranger, key) = (new Signer(), new Signer(), new Signer());
        (await api.PostAsync(user, Upload, new { self_signing_key = master.Sign(key.As("self_signing", user.Id), user.Id) })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(user, Upload, "{}")).Require(400, "M_MISSING_PARAM");
        foreach (var unsigned in new object[]
        {
            key.As("self_signing", user.Id), stranger.Sign(key.As("self_signing", user.Id), user.Id), stranger.Sign(key.As("self_signing", user.Id), user.Id, master.KeyId),
            master.Sign(key.As("self_signing", user.Id), "@else:test.example"),
        })
            (await api.PostAsync(user, Upload, new { master_key = master.As("master", user.Id), self_signing_key = unsigned })).Require(400, "M_INVALID_SIGNATURE");
        Assert.Null((await api.QueryAsync(user, user)).At("master_keys", user.Id));
        // Signed by the one that is there already.
        (await api.PostAsync(user, Upload, new { master_key = master.As("master", user.Id) })).RequireOk();
        (await api.PostAsync(user, Upload, new { self_signing_key = stranger.Sign(key.As("self_signing", user.Id), user.Id), auth = Proof(user) })).Require(400, "M_INVALID_SIGNATURE");
        (await api.PostAsync(user, Upload, new { self_signing_key = master.Sign(key.As("self_signing", user.Id), user.Id), auth = Proof(user) })).RequireOk();
    }

    [Fact]
    public async Task Keys_of_the_wrong_shape_are_refused()
    {
        var user = await api.RegisterUserAsync();
        var key = new Signer();
        async Task RefuseAsync(Action<Dictionary<string, object>> spoil, string code)
        {
            var master = key.As("master", user.Id);
            spoil(master);
            (await api.PostAsync(user, Upload, new { master_key = master })).Require(400, code);
        }
        await RefuseAsync(m => m["user_id"] = "@else:test.example", "M_INVALID_PARAM");
        await RefuseAsync(m => m["usage"] = new[] { "self_signing" }, "M_INVALID_PARAM");
        await RefuseAsync(m => m["usage"] = "master", "M_BAD_JSON");
        await RefuseAsync(m => m["keys"] = new Dictionary<string, string> { [key.KeyId] = new Signer().Public }, "M_INVALID_PARAM");
        await RefuseAsync(m => m["keys"] = new Dictionary<string, string> { ["ed25519:short"] = "short" }, "M_INVALID_PARAM");
        await RefuseAsync(m => m["keys"] = new Dictionary<string, string> { ["rsa:x"] = "x" }, "M_INVALID_PARAM");
        await RefuseAsync(m => m["keys"] = new Dictionary<string, string> { [key.KeyId] = key.Public, ["ed25519:two"] = "two" }, "M_INVALID_PARAM");
        await RefuseAsync(m => m.Remove("keys"), "M_BAD_JSON");
        await RefuseAsync(m => m["signatures"] = new { a = 1 }, "M_BAD_JSON");
        await RefuseAsync(m => m["x"] = 1.5, "M_BAD_JSON");
        
        (await api.PostAsync(null, Upload, "{}")).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task A_key_cannot_be_called_as_one_of_the_devices_is()
    {
        var user = await api.RegisterUserAsync();
        var key = new Signer();
        await api.AnotherDeviceAsync(user, key.Public);
        (await api.PostAsync(user, Upload, new { master_key = key.As("master", user.Id) })).Require(403, "M_FORBIDDEN");
        var one = new Signer();
        (await api.PostAsync(user, Upload, new { master_key = one.As("master", user.Id), self_signing_key = one.Sign(one.As("self_signing", user.Id), user.Id) })).Require(400, "M_INVALID_PARAM");
    }

    // ---------------------------------------------------------------- signatures

    [Fact]
    public async Task A_device_signed_by_its_user_is_told_so_to_everybody_until_its_keys_are_others()
    {
        var set = await NewSetAsync();
        var (user, bob) = (set.User, await api.RegisterUserAsync());
        var device = await DeviceAsync(user);
        var rows = await api.RowsAsync("device_lists", user);
        var signed = set.SelfSigning.Sign(device.DeviceKeys(user), user.Id);
        Assert.Equal("{}", (await SignAsync(user, user.Id, user.DeviceId, signed)).GetRawText());
        Assert.Equal("{}", (await SignAsync(user, user.Id, user.DeviceId, signed)).GetRawText());
        Assert.Equal(rows + 1, await api.RowsAsync("device_lists", user));
        foreach (var asking in new[] { user, bob })
        {
            var told = (await api.QueryAsync(asking, user)).At("device_keys", user.Id, user.DeviceId, "signatures", user.Id)!.Value;
            Assert.Equal(new[] { set.SelfSigning.KeyId, "ed25519:" + user.DeviceId }.Order(), told.EnumerateObject().Select(s => s.Name).Order());
        }
        await DeviceAsync(user);
        Assert.Null((await api.QueryAsync(bob, user)).At("device_keys", user.Id, user.DeviceId, "signatures", user.Id, set.SelfSigning.KeyId));
    }

    [Fact]
    public async Task Signatures_of_others_master_keys_are_seen_by_who_made_them_alone()
    {
        var (alice, bob) = (await NewSetAsync(), await NewSetAsync());
        var carol = await api.RegisterUserAsync();
        var (ofAlice, ofBob) = (await api.RowsAsync("device_lists", alice.User), await api.RowsAsync("device_lists", bob.User));
        var signed = alice.UserSigning.Sign(bob.Master.As("master", bob.User.Id), alice.User.Id);
        Assert.Equal("{}", (await SignAsync(alice.User, bob.User.Id, bob.Master.Public, signed)).GetRawText());
        Assert.NotNull((await api.QueryAsync(alice.User, bob.User)).At("master_keys", bob.User.Id, "signatures", alice.User.Id, alice.UserSigning.KeyId));
        foreach (var asking in new[] { bob.User, carol })
            Assert.Null((await api.QueryAsync(asking, bob.User)).At("master_keys", bob.User.Id, "signatures"));
        // Only alice hears of it, and that it is about bob.
        Assert.Equal(ofAlice + 1, await api.RowsAsync("device_lists", alice.User));
        Assert.Equal(ofBob, await api.RowsAsync("device_lists", bob.User));
        // A new master key is another key.
        (await api.PostAsync(bob.User, Upload, new CrossSigningSet(bob.User).Upload(Proof(bob.User)))).RequireOk();
        Assert.Null((await api.QueryAsync(alice.User, bob.User)).At("master_keys", bob.User.Id, "signatures"));
    }

    [Fact]
    public async Task The_user_signing_key_is_for_its_user_alone()
    {
        var (set, bob) = (await NewSetAsync(), await api.RegisterUserAsync());
        var told = await api.QueryAsync(bob, set.User);
        Assert.NotNull(told.At("master_keys", set.User.Id));
        Assert.NotNull(told.At("self_signing_keys", set.User.Id));
        Assert.Null(told.At("user_signing_keys", set.User.Id));
    }

    [Fact]
    public async Task A_device_signs_the_master_key_and_everybody_sees_it()
    {
        var (set, bob) = (await NewSetAsync(), await api.RegisterUserAsync());
        var device = await DeviceAsync(set.User);
        var keyId = "ed25519:" + set.User.DeviceId;
        var signed = device.Sign(set.Master.As("master", set.User.Id), set.User.Id, keyId);
        Assert.Equal("{}", (await SignAsync(set.User, set.User.Id, set.Master.Public, signed)).GetRawText());
        foreach (var asking in new[] { set.User, bob })
            Assert.NotNull((await api.QueryAsync(asking, set.User)).At("master_keys", set.User.Id, "signatures", set.User.Id, keyId));
    }

    [Fact]
    public async Task What_is_not_signed_well_is_a_failure_each_for_itself_and_not_stored()
    {
        var (alice, bob) = (await NewSetAsync(), await NewSetAsync());
        var user = alice.User;
        var device = await DeviceAsync(user);
        const string Invalid = "M_INVALID_SIGNATURE";
        // Not by the self-signing key; by it, but under another name; a device that is another; of another's device.
        Assert.Equal(Invalid, await FailureAsync(user, user.Id, user.DeviceId, alice.UserSigning.Sign(device.DeviceKeys(user), user.Id)));
        Assert.Equal(Invalid, await FailureAsync(user, user.Id, user.DeviceId, bob.SelfSigning.Sign(device.DeviceKeys(user), user.Id, alice.SelfSigning.KeyId)));
        Assert.Equal("M_INVALID_PARAM", await FailureAsync(user, user.Id, user.DeviceId, alice.SelfSigning.Sign(new Signer().DeviceKeys(user), user.Id)));
        Assert.Equal("M_NOT_FOUND", await FailureAsync(user, user.Id, "NOTHING", alice.SelfSigning.Sign(device.DeviceKeys(user), user.Id)));
        Assert.Equal("M_NOT_FOUND", await FailureAsync(user, bob.User.Id, bob.User.DeviceId, alice.SelfSigning.Sign(device.DeviceKeys(user), user.Id)));
        // Master keys: another's by the wrong key, one's own by no device.
        Assert.Equal(Invalid, await FailureAsync(user, bob.User.Id, bob.Master.Public, alice.SelfSigning.Sign(bob.Master.As("master", bob.User.Id), user.Id)));
        Assert.Equal(Invalid, await FailureAsync(user, user.Id, alice.Master.Public, alice.SelfSigning.Sign(alice.Master.As("master", user.Id), user.Id)));
        Assert.Equal(Invalid, await FailureAsync(user, user.Id, alice.Master.Public, bob.Master.Sign(alice.Master.As("master", user.Id), user.Id, "ed25519:" + user.DeviceId)));
        Assert.Equal("M_NOT_FOUND", await FailureAsync(user, "@far:away.example", "x", bob.Master.Sign(alice.Master.As("master", user.Id), user.Id)));
        Assert.Equal(0, await api.CountAsync(
            "select (select count(*) from device_key_signatures where user_id = $1) + (select count(*) from master_key_signatures where signer_user_id = $1)", user.Id));
        // A good one beside a bad one.
        var failures = (await api.PostAsync(user, Signatures, new Dictionary<string, object>
        {
            [user.Id] = new Dictionary<string, object> { [user.DeviceId] = alice.SelfSigning.Sign(device.DeviceKeys(user), user.Id), ["X"] = new { signatures = new { } } },
        })).RequireOk().Body.GetProperty("failures");
        Assert.Equal(["X"], failures.GetProperty(user.Id).EnumerateObject().Select(f => f.Name));
        Assert.Equal(1, await api.CountAsync("select count(*) from device_key_signatures where user_id = $1", user.Id));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{"@a:b":1}""")]
    [InlineData("""{"@a:b":{"K":1}}""")]
    [InlineData("""{"@a:b":{"K":{}}}""")]
    [InlineData("""{"@a:b":{"K":{"signatures":[]}}}""")]
    [InlineData("""{"@a:b":{"K":{"signatures":{"@a:b":{"k":1}}}}}""")]
    public async Task Wrong_signatures_bodies_are_refused(string body)
    {
        var user = await api.RegisterUserAsync();
        (await api.PostAsync(user, Signatures, body)).Require(400, "M_BAD_JSON");
        (await api.PostAsync(null, Signatures, body)).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task A_deactivated_user_has_no_keys_left()
    {
        var set = await NewSetAsync();
        (await api.PostAsync(set.User, $"{V3}/room_keys/version", new { algorithm = "a", auth_data = new { } })).RequireOk();
        (await api.PostAsync(set.User, $"{V3}/account/deactivate", new { auth = Proof(set.User) })).RequireOk();
        Assert.Equal(0, await api.CountAsync(
            "select (select count(*) from cross_signing_keys where user_id = $1) + (select count(*) from key_backups where user_id = $1)", set.User.Id));
    }
}
