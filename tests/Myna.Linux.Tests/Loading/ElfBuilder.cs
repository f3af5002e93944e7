using System.Buffers.Binary;
using System.Text;

namespace Myna.Linux.Tests.Loading;

/// <summary>Writes ELF programs for tests (gABI, chapters 4 and 5).</summary>
internal sealed class ElfBuilder
{
    public ushort Type { get; init; } = 2;
    public ushort Machine { get; init; } = 243;
    public ulong Entry { get; init; } = 0x10_0000_1000;
    public List<(uint Type, uint Flags, ulong Offset, ulong Address, ulong FileSize, ulong MemorySize)> Headers { get; } = [];
    public int Length { get; init; } = 0x3000;
    public string? Interpreter { get; init; }

    public byte[] Build()
    {
        byte[] file = new byte[Length];
        for (int i = 0x1000; i < Length; i++)
            file[i] = (byte)(i * 7);
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(file);
        Span<byte> b = file;
        BinaryPrimitives.WriteUInt16LittleEndian(b[16..], Type);
        BinaryPrimitives.WriteUInt16LittleEndian(b[18..], Machine);
        BinaryPrimitives.WriteUInt32LittleEndian(b[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(b[24..], Entry);
        BinaryPrimitives.WriteUInt64LittleEndian(b[32..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(b[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(b[54..], 56);
        var headers = Headers.ToList();
        if (Interpreter is not null)
        {
            int length = Encoding.UTF8.GetBytes(Interpreter + "\0", b[0x800..]);
            headers.Add((3, 4, 0x800, 0, (ulong)length, (ulong)length));
        }
        BinaryPrimitives.WriteUInt16LittleEndian(b[56..], (ushort)headers.Count);
        for (int i = 0; i < headers.Count; i++)
        {
            Span<byte> h = b[(64 + 56 * i)..];
            BinaryPrimitives.WriteUInt32LittleEndian(h, headers[i].Type);
            BinaryPrimitives.WriteUInt32LittleEndian(h[4..], headers[i].Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(h[8..], headers[i].Offset);
            BinaryPrimitives.WriteUInt64LittleEndian(h[16..], headers[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(h[24..], headers[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(h[32..], headers[i].FileSize);
            BinaryPrimitives.WriteUInt64LittleEndian(h[40..], headers[i].MemorySize);
            BinaryPrimitives.WriteUInt64LittleEndian(h[48..], 0x1000);
        }
        return file;
    }
}
