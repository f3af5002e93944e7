using System.Buffers.Binary;

namespace Myna.Machines.Loading.X86;

/// <summary>
/// Linux's bzImage: the setup header, and the kernel proper behind the real-mode code (Linux,
/// Documentation/arch/x86/boot.rst, section "The Real-Mode Kernel Header").
/// </summary>
internal sealed class LinuxImage
{
    /// <summary>Where the 64-bit entry lies in the kernel proper.</summary>
    public const uint Entry64 = 0x200;

    /// <summary>Where the setup header begins, in the file and in boot_params.</summary>
    public const int HeaderOffset = 0x1f1;

    private const int MinimumVersion = 0x0202, HeaderVersion = 0x206, LoadFlags = 0x211, LoadedHigh = 1;
    private const uint DefaultLoadAddress = 0x100000;

    private LinuxImage(byte[] header, int setupSize)
    {
        Header = header;
        SetupSize = setupSize;
    }

    /// <summary>The setup header: bytes 1F1h to its end, which the file itself names.</summary>
    public byte[] Header { get; }

    /// <summary>Bytes of boot sector and real-mode code, in front of the kernel proper.</summary>
    public int SetupSize { get; }

    /// <summary>Protocol version, 0xMMmm.</summary>
    public int Version => U16(HeaderVersion);

    /// <summary>XLF_KERNEL_64: there is a 64-bit entry (protocol 2.12).</summary>
    public bool Is64Bit => Version >= 0x020c && (U16(0x236) & 1) != 0;

    /// <summary>code32_start: where the kernel proper is put.</summary>
    public uint LoadAddress => U32(0x214) is var address and not 0 ? address : DefaultLoadAddress;

    /// <summary>
    /// The file borrows the format and has real-mode code alone, which works by a BIOS's services (iPXE's ipxe.lkrn): its code32_start is zero.
    /// </summary>
    public bool NeedsBios => U32(0x214) == 0;

    /// <summary>Last address that the initrd may use.</summary>
    public ulong InitrdMaximum => Version >= 0x0203 ? U32(0x22c) : 0x37ffffff;

    /// <summary>Longest command line in bytes, without the NUL.</summary>
    public uint CommandLineSize => Version >= 0x0206 ? U32(0x238) : 255;

    /// <summary>First address behind what the kernel needs to decompress itself (pref_address and init_size, protocol 2.10).</summary>
    public ulong WorkEnd => Version >= 0x020a ? Math.Max(U64(0x258), LoadAddress) + U32(0x260) : LoadAddress;

    /// <param name="head">The start of the file.</param>
    /// <param name="length">Bytes of the whole file.</param>
    /// <returns>Null when the file is no Linux image for x86.</returns>
    /// <exception cref="MachineException">It is one that cannot be used.</exception>
    public static LinuxImage? TryRead(ReadOnlySpan<byte> head, long length, string path)
    {
        if (head.Length < 0x264 || !head.Slice(0x202, 4).SequenceEqual("HdrS"u8) || BinaryPrimitives.ReadUInt16LittleEndian(head[0x1fe..]) != 0xaa55)
            return null;
        int version = BinaryPrimitives.ReadUInt16LittleEndian(head[HeaderVersion..]);
        if (version < MinimumVersion || (head[LoadFlags] & LoadedHigh) == 0)
            throw new MachineException($"the kernel {path} is a Linux image of boot protocol {version >> 8}.{version & 0xff:d2} that loads below 1 MiB (zImage), which is not supported; build a bzImage");
        int sectors = head[HeaderOffset] is var s and not 0 ? s : 4;
        int setupSize = (sectors + 1) * 512;
        long size = setupSize + 16L * BinaryPrimitives.ReadUInt32LittleEndian(head[0x1f4..]);
        // The last paragraph may be padding that the file does not hold.
        if (length <= setupSize || length + 15 < size)
            throw new MachineException($"the kernel {path} is truncated: it has {length} bytes and needs {size}; fetch or build it again");
        int end = 0x202 + head[0x201];
        byte[] header = new byte[Math.Max(end, 0x268) - HeaderOffset];
        head[HeaderOffset..end].CopyTo(header);
        return new LinuxImage(header, setupSize);
    }

    private ushort U16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(Header.AsSpan(at - HeaderOffset));
    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(Header.AsSpan(at - HeaderOffset));
    private ulong U64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(Header.AsSpan(at - HeaderOffset));
}
