using System.Buffers.Binary;

namespace Myna.Machines.Loading;

/// <summary>
/// Linux's self-decompressing EFI images (vmlinuz.efi): a PE header that also says where the compressed kernel lies
/// (Linux, drivers/firmware/efi/libstub/zboot-header.S).
/// </summary>
internal static class EfiZboot
{
    public static bool Is(ReadOnlySpan<byte> b) => b.Length >= 64 && b.StartsWith("MZ"u8) && b.Slice(4, 4).SequenceEqual("zimg"u8);

    /// <returns>The compressed kernel inside, or the bytes themselves when they are no such image.</returns>
    public static byte[] Unwrap(byte[] bytes, string path, string what)
    {
        ReadOnlySpan<byte> b = bytes;
        if (!Is(b))
            return bytes;
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(b[8..]);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(b[12..]);
        if ((ulong)offset + size > (ulong)b.Length)
            throw new MachineException($"the {what} {path} is truncated: its payload ends at byte {(ulong)offset + size}, the file at {b.Length}; fetch it again");
        return b.Slice((int)offset, (int)size).ToArray();
    }
}
