using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Matrix.Crypto;

/// <summary>The few functions of OpenSSL 3's libcrypto that Ed25519 needs. man: EVP_PKEY_new(3), EVP_DigestSign(3), EVP_DigestVerify(3)</summary>
internal static partial class Libcrypto
{
    private const string Name = "matrix_libcrypto";

    /// <summary>NID_ED25519 of obj_mac.h.</summary>
    public const int Ed25519 = 1087;

    private static readonly IntPtr Handle = Load();

    public static bool IsAvailable => Handle != IntPtr.Zero;

    static Libcrypto()
    {
        if (Handle != IntPtr.Zero) NativeLibrary.SetDllImportResolver(typeof(Libcrypto).Assembly, Resolve);
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name == Name ? Handle : IntPtr.Zero;

    private static IntPtr Load()
    {
        string[] names = OperatingSystem.IsWindows() ? ["libcrypto-3-x64.dll", "libcrypto-3.dll"]
            : OperatingSystem.IsMacOS() ? ["libcrypto.3.dylib", "/opt/homebrew/lib/libcrypto.3.dylib"]
            : ["libcrypto.so.3"];
        foreach (var name in names)
        {
            if (!NativeLibrary.TryLoad(name, out var handle)) continue;
            if (NativeLibrary.TryGetExport(handle, "EVP_PKEY_new_raw_private_key", out _)
                && NativeLibrary.TryGetExport(handle, "EVP_DigestSign", out _)) return handle;
            NativeLibrary.Free(handle);
        }
        return IntPtr.Zero;
    }

    [LibraryImport(Name)]
    public static partial EvpKey EVP_PKEY_new_raw_private_key(int type, IntPtr engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Name)]
    public static partial EvpKey EVP_PKEY_new_raw_public_key(int type, IntPtr engine, ReadOnlySpan<byte> key, nuint length);

    [LibraryImport(Name)]
    public static partial int EVP_PKEY_get_raw_public_key(EvpKey key, Span<byte> to, ref nuint length);

    [LibraryImport(Name)]
    public static partial void EVP_PKEY_free(IntPtr key);

    [LibraryImport(Name)]
    public static partial IntPtr EVP_MD_CTX_new();

    [LibraryImport(Name)]
    public static partial void EVP_MD_CTX_free(IntPtr context);

    [LibraryImport(Name)]
    public static partial int EVP_DigestSignInit(IntPtr context, IntPtr keyContext, IntPtr type, IntPtr engine, EvpKey key);

    [LibraryImport(Name)]
    public static partial int EVP_DigestSign(IntPtr context, Span<byte> signature, ref nuint signatureLength, ReadOnlySpan<byte> message, nuint length);

    [LibraryImport(Name)]
    public static partial int EVP_DigestVerifyInit(IntPtr context, IntPtr keyContext, IntPtr type, IntPtr engine, EvpKey key);

    [LibraryImport(Name)]
    public static partial int EVP_DigestVerify(
        IntPtr context, ReadOnlySpan<byte> signature, nuint signatureLength, ReadOnlySpan<byte> message, nuint length);

    [LibraryImport(Name)]
    public static partial void ERR_clear_error();
}

/// <summary>An EVP_PKEY. The handle's own counting keeps it alive through a call, so a cache may drop it at any time.</summary>
internal sealed class EvpKey() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
{
    protected override bool ReleaseHandle()
    {
        Libcrypto.EVP_PKEY_free(handle);
        return true;
    }
}
