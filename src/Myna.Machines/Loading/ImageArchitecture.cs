using System.Buffers.Binary;
using System.IO.Compression;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.Loading;

/// <summary>Tells from an image's content which architecture it is for.</summary>
internal static class ImageArchitecture
{
    private const int HeadSize = 64 << 10;
    private const string RiscV = "riscv64", X86 = "x86_64";
    private const ushort EM_386 = 3, EM_X86_64 = 62, EM_RISCV = 243, PeRiscV64 = 0x5064;

    /// <summary>Of a kernel; null when it does not say. Raw code is RISC-V's, where alone it can be started.</summary>
    public static string? OfKernel(string path)
    {
        byte[] head = Head(path);
        if (ImageFile.IsGzip(head))
            head = Gunzip(path);
        if (head.Length < 20)
            return null;
        return OfElf(head)
            ?? (head.Length > 0x206 && head.AsSpan(0x202, 4).SequenceEqual("HdrS"u8) || HasMultiboot(head, path) ? X86
            : EfiZboot.Is(head) && !IsRiscVPe(head) ? null
            : RiscV);
    }

    /// <summary>Of a firmware: a PC's ends with its reset vector, a jump 16 bytes below the end of whole 64 KiB.</summary>
    public static string? OfFirmware(string path)
    {
        byte[] head = Head(path);
        if (head.Length < 20)
            return null;
        if (OfElf(head) is { } arch)
            return arch;
        using FileStream file = File.OpenRead(path);
        if (file.Length % (64 << 10) != 0)
            return RiscV;
        file.Position = file.Length - 16;
        return file.ReadByte() is 0xea or 0xe9 or 0xeb or 0x90 or 0x0f ? X86 : RiscV;
    }

    private static string? OfElf(ReadOnlySpan<byte> head) => !ElfFile.IsElf(head) ? null
        : BinaryPrimitives.ReadUInt16LittleEndian(head[18..]) switch { EM_RISCV => RiscV, EM_386 or EM_X86_64 => X86, _ => null };

    private static bool HasMultiboot(byte[] head, string path)
    {
        try
        {
            return MultibootHeader.Find(head, path) is not null;
        }
        catch (MachineException)
        {
            // A header that the loader will complain about.
            return true;
        }
    }

    private static bool IsRiscVPe(ReadOnlySpan<byte> head)
    {
        uint pe = BinaryPrimitives.ReadUInt32LittleEndian(head[60..]);
        return pe + 6 <= head.Length && BinaryPrimitives.ReadUInt16LittleEndian(head[((int)pe + 4)..]) == PeRiscV64;
    }

    /// <summary>Nothing when it cannot be read: whoever loads it says why.</summary>
    private static byte[] Head(string path)
    {
        try
        {
            // A pipe could not be read a second time.
            if (!new FileInfo(path).Exists || new FileInfo(path).Length == 0)
                return [];
            using FileStream file = File.OpenRead(path);
            byte[] head = new byte[HeadSize];
            return head[..file.ReadAtLeast(head, HeadSize, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static byte[] Gunzip(string path)
    {
        try
        {
            using var stream = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
            byte[] head = new byte[HeadSize];
            return head[..stream.ReadAtLeast(head, HeadSize, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return [];
        }
    }
}
