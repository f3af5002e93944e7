using System.Buffers.Binary;

namespace Myna.Machines.Loading;

/// <summary>The RISC-V Linux Image format (Linux documentation, arch/riscv/boot-image-header).</summary>
internal static class RiscVImage
{
    private const int HeaderSize = 64;
    private const ulong Alignment = 2 << 20;

    /// <param name="b">The start of the file.</param>
    /// <param name="address">Where the image goes; 2 MiB aligned as the kernel asks.</param>
    /// <returns>Null when the file is no such image.</returns>
    public static BootImage? TryLoad(ReadOnlySpan<byte> b, ImageSource file, string path, string what, ulong address)
    {
        if (b.Length < HeaderSize || !(b.Slice(56, 4).SequenceEqual("RSC\x05"u8) || b.Slice(48, 5).SequenceEqual("RISCV"u8)))
            return null;
        ulong imageSize = BinaryPrimitives.ReadUInt64LittleEndian(b[16..]);
        ulong flags = BinaryPrimitives.ReadUInt64LittleEndian(b[24..]);
        if ((flags & 1) != 0)
            throw new MachineException($"the {what} {path} is big-endian; this machine is little-endian");
        CheckSections(b, file.Length, path, what);
        address = (address + Alignment - 1) / Alignment * Alignment;
        // The size in memory includes .bss; kernels before 5.3 leave it 0.
        ulong memorySize = Math.Max(imageSize, (ulong)file.Length);
        if (memorySize > 4UL << 30)
            throw new MachineException($"the {what} {path} is damaged: its header asks for {memorySize} bytes of memory; fetch it again");
        return new BootImage(path, ImageKind.LinuxImage, address, [new Segment(address, file, 0, (ulong)file.Length, memorySize)], new Dictionary<string, ulong>());
    }

    /// <summary>An Image is a PE file as well, whose section table tells how long the file must be.</summary>
    private static void CheckSections(ReadOnlySpan<byte> b, long length, string path, string what)
    {
        uint pe = BinaryPrimitives.ReadUInt32LittleEndian(b[60..]);
        if (!b.StartsWith("MZ"u8) || pe > (uint)b.Length - 24 || !b.Slice((int)pe, 4).SequenceEqual("PE\0\0"u8))
            return;
        int sections = BinaryPrimitives.ReadUInt16LittleEndian(b[((int)pe + 6)..]);
        int table = (int)pe + 24 + BinaryPrimitives.ReadUInt16LittleEndian(b[((int)pe + 20)..]);
        for (int i = 0; i < sections; i++)
        {
            int at = table + 40 * i;
            ulong end = at + 40 > b.Length ? (ulong)at + 40
                : (ulong)BinaryPrimitives.ReadUInt32LittleEndian(b[(at + 16)..]) + BinaryPrimitives.ReadUInt32LittleEndian(b[(at + 20)..]);
            if (end > (ulong)length)
                throw new MachineException($"the {what} {path} is truncated: it has {length} bytes and needs {end}; fetch it again");
        }
    }
}
