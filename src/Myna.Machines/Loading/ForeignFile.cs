namespace Myna.Machines.Loading;

/// <summary>Recognizes files that people give as a kernel by mistake.</summary>
internal static class ForeignFile
{
    /// <summary>What is wrong with a file, as the end of a sentence that begins with its name; null when nothing is known of it.</summary>
    /// <param name="arch">The machine's architecture.</param>
    public static string? Describe(ReadOnlySpan<byte> b, string arch) =>
        arch != "x86_64" && b.Length > 0x206 && b.Slice(0x202, 4).SequenceEqual("HdrS"u8) ? $"is a Linux kernel for x86; this machine is {arch}"
        : b.Length >= 64 && b.Slice(56, 4).SequenceEqual("ARM\x64"u8) ? $"is a Linux kernel for arm64; this machine is {arch}"
        : arch != "riscv64" && b.Length >= 64 && (b.Slice(56, 4).SequenceEqual("RSC\x05"u8) || b.Slice(48, 5).SequenceEqual("RISCV"u8)) ? $"is a Linux kernel for riscv64; this machine is {arch}"
        : Begins(b, 0x28, 0xb5, 0x2f, 0xfd) ? "is compressed with zstd, which is not supported here; decompress it first (zstd -d)"
        : Begins(b, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0) ? "is compressed with xz, which is not supported here; decompress it first (xz -d)"
        : b.StartsWith("BZh"u8) ? "is compressed with bzip2, which is not supported here; decompress it first (bunzip2)"
        : Begins(b, 0x04, 0x22, 0x4d, 0x18) || Begins(b, 0x02, 0x21, 0x4c, 0x18) ? "is compressed with LZ4, which is not supported here; decompress it first (lz4 -d)"
        : Begins(b, 0x51, 0x46, 0x49, 0xfb) ? "is a qcow2 disk image; use --disk"
        : b.StartsWith("!<arch>\n"u8) ? "is an archive (.deb or .a); unpack it first"
        : b.StartsWith("070701"u8) || b.StartsWith("070702"u8) ? "is a cpio archive; use --initrd"
        : null;

    private static bool Begins(ReadOnlySpan<byte> bytes, params ReadOnlySpan<byte> magic) => bytes.StartsWith(magic);
}
