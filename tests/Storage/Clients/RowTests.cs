using System.Text;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;

namespace Matrix.StorageTests.Clients;

/// <summary>The bytes of stream rows: releases read each other's.</summary>
public class RowTests
{
    private static string Text(byte[] row) => Encoding.UTF8.GetString(row);
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [Fact]
    public void Rows_have_these_bytes()
    {
        Assert.Equal("""{"user_id":"@a:x","type":"m.read","thread_id":"main","event_id":"$e","event_pos":-3,"ts_ms":5}""", Text(new ReceiptRow("@a:x", "m.read", "main", "$e", -3, 5).Encode()));
        Assert.Equal("""{"user_id":"@a:x","type":"m.read.private","event_id":"$e","ts_ms":5}""", Text(new ReceiptRow("@a:x", "m.read.private", "", "$e", null, 5).Encode()));
        Assert.Equal("""{"type":"m.direct"}""", Text(new AccountDataRow("", "m.direct").Encode()));
        Assert.Equal("""{"room_id":"!r","type":"m.tag"}""", Text(new AccountDataRow("!r", "m.tag").Encode()));
        Assert.Equal("""{"device_id":"D"}""", Text(new ToDeviceRow("D").Encode()));
        Assert.Equal("""{"device_id":"D","keys":true}""", Text(new ToDeviceRow("D", KeysChanged: true).Encode()));
        Assert.Equal("{}", Text(new DeviceListRow(null).Encode()));
        // SyncReader.SqlDeviceListChanges looks for the name and the colon after it.
        Assert.Equal("""{"about":"@a:b"}""", Text(new DeviceListRow(null, "@a:b").Encode()));
        Assert.Equal("""{"user_id":"@a:x","typing":true,"expires_ts_ms":9}""", Text(new TypingRow("@a:x", true, 9).Encode()));
        Assert.Equal("""{"presence":"online","last_active_ts":7,"currently_active":true}""", Text(new PresenceRow("online", null, 7, true).Encode()));
    }

    [Fact]
    public void Rows_come_back_as_they_were()
    {
        foreach (var r in new[] { new ReceiptRow("@a:x", "m.read", "main", "$e", -3, 5), new ReceiptRow("@\u00fc:x", "m.read", "", "$\"e", null, 5) }) Assert.Equal(r, ReceiptRow.Decode(r.Encode()));
        foreach (var r in new[] { new AccountDataRow("", "m.direct"), new AccountDataRow("!r", "m.tag") }) Assert.Equal(r, AccountDataRow.Decode(r.Encode()));
        foreach (var r in new[] { new ToDeviceRow("D"), new ToDeviceRow("D", KeysChanged: true) }) Assert.Equal(r, ToDeviceRow.Decode(r.Encode()));
        foreach (var r in new[] { new DeviceListRow("D"), new DeviceListRow(null), new DeviceListRow(null, "@a:b") }) Assert.Equal(r, DeviceListRow.Decode(r.Encode()));
        foreach (var r in new[] { new TypingRow("@a:x", true, 9), new TypingRow("@a:x", false, 0) }) Assert.Equal(r, TypingRow.Decode(r.Encode()));
        foreach (var r in new[] { new PresenceRow("online", "a \U0001F6A2", 7, true), new PresenceRow("offline", null, 0, false) }) Assert.Equal(r, PresenceRow.Decode(r.Encode()));
    }

    [Fact]
    public void Members_of_a_later_release_are_passed_over()
    {
        Assert.Equal(new ReceiptRow("@a:x", "m.read", "", "$e", null, 5),
            ReceiptRow.Decode(Bytes("""{"new":{"deep":[1,{}]},"user_id" : "@a:x", "thread_id" : null, "type":"m.read","event_pos":null,"event_id":"$e","ts_ms":5,"later":[[]]}""")));
        Assert.Equal(new TypingRow("@a:x", false, 0), TypingRow.Decode(Bytes("""{"user_id":"@a:x","more":1}""")));
        Assert.Throws<InvalidDataException>(() => AccountDataRow.Decode("[]"u8));
    }
}
