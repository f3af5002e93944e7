using System.Globalization;
using System.Text;
using Myna.Machines.Loading;

namespace Myna.Machines.Firmware.Acpi;

/// <summary>
/// ACPI Machine Language (ACPI 6.5, chapter 20): each method returns the encoding of one term, and terms take their
/// parts as arguments, so that a table reads like its ASL.
/// </summary>
internal static class Aml
{
    private const byte ExtendedPrefix = 0x5b;

    public static byte[] Zero { get; } = [0x00];
    public static byte[] One { get; } = [0x01];
    public static byte[] Ones { get; } = [0xff];

    /// <summary>Terms one after the other.</summary>
    public static byte[] List(params ReadOnlySpan<byte[]> terms)
    {
        var w = new ByteWriter();
        foreach (byte[] term in terms)
            w.Bytes(term);
        return w.ToArray();
    }

    /// <summary>A number in its shortest form.</summary>
    public static byte[] Number(ulong value) => value switch
    {
        0 => Zero,
        1 => One,
        <= byte.MaxValue => [0x0a, (byte)value],
        <= ushort.MaxValue => new ByteWriter().U8(0x0b).U16((int)value).ToArray(),
        <= uint.MaxValue => new ByteWriter().U8(0x0c).U32((uint)value).ToArray(),
        _ => new ByteWriter().U8(0x0e).U64(value).ToArray(),
    };

    public static byte[] String(string text) => new ByteWriter().U8(0x0d).CString(text).ToArray();

    /// <summary>A device identifier of three letters and four hexadecimal digits, as in PNP0A03 (section 19.3.4, EISAID).</summary>
    public static byte[] EisaId(string id)
    {
        int letters = (id[0] - 0x40) << 10 | (id[1] - 0x40) << 5 | (id[2] - 0x40);
        int number = int.Parse(id.AsSpan(3), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return [0x0c, (byte)(letters >> 8), (byte)letters, (byte)(number >> 8), (byte)number];
    }

    /// <summary>A reference to an object by its path, as in \_SB.PCI0.</summary>
    public static byte[] Path(string path)
    {
        var w = new ByteWriter();
        int prefix = path.TakeWhile(c => c is '\\' or '^').Count();
        w.Text(path[..prefix]);
        string[] segments = path[prefix..].Split('.', StringSplitOptions.RemoveEmptyEntries);
        switch (segments.Length)
        {
            case 0: w.U8(0); break;
            case 1: break;
            case 2: w.U8(0x2e); break;
            default: w.U8(0x2f).U8(segments.Length); break;
        }
        foreach (string segment in segments)
            w.Text(segment, 4, '_');
        return w.ToArray();
    }

    public static byte[] Name(string name, byte[] value) => List([0x08], Path(name), value);
    public static byte[] Name(string name, ulong value) => Name(name, Number(value));
    public static byte[] Name(string name, string value) => Name(name, String(value));

    public static byte[] Scope(string name, params ReadOnlySpan<byte[]> terms) => Block([0x10], List(Path(name), List(terms)));
    public static byte[] Device(string name, params ReadOnlySpan<byte[]> terms) => Block([ExtendedPrefix, 0x82], List(Path(name), List(terms)));

    /// <param name="arguments">How many it takes, 0 to 7.</param>
    public static byte[] Method(string name, int arguments, params ReadOnlySpan<byte[]> terms)
        => Block([0x14], List(Path(name), [(byte)arguments], List(terms)));

    public static byte[] Package(params ReadOnlySpan<byte[]> elements) => Block([0x12], List([(byte)elements.Length], List(elements)));
    public static byte[] Buffer(byte[] bytes) => Block([0x11], List(Number((ulong)bytes.Length), bytes));

    /// <summary>A UUID as the buffer that methods compare with (section 19.6.142, ToUUID).</summary>
    public static byte[] Uuid(string uuid) => Buffer(Guid.Parse(uuid).ToByteArray());

    public static byte[] If(byte[] condition, params ReadOnlySpan<byte[]> terms) => Block([0xa0], List(condition, List(terms)));
    public static byte[] Else(params ReadOnlySpan<byte[]> terms) => Block([0xa1], List(terms));
    public static byte[] Return(byte[] value) => List([0xa4], value);
    public static byte[] Store(byte[] value, byte[] target) => List([0x70], value, target);
    public static byte[] Equal(byte[] a, byte[] b) => List([0x93], a, b);
    public static byte[] And(byte[] a, byte[] b, byte[] target) => List([0x7b], a, b, target);
    public static byte[] Or(byte[] a, byte[] b, byte[] target) => List([0x7d], a, b, target);
    public static byte[] CreateDWordField(byte[] buffer, ulong index, string name) => List([0x8a], buffer, Number(index), Path(name));
    public static byte[] Notify(string device, ulong value) => List([0x86], Path(device), Number(value));

    /// <summary>A range of I/O ports and one field of it, eight bits wide, at its start.</summary>
    public static byte[] PortField(string region, string field, ulong port)
    {
        const byte SystemIo = 1, ByteAccess = 1, FieldBits = 8;
        return List([ExtendedPrefix, 0x80], Path(region), [SystemIo], Number(port), One,
            Block([ExtendedPrefix, 0x81], List(Path(region), [ByteAccess], new ByteWriter().Text(field, 4, '_').ToArray(), [FieldBits])));
    }

    /// <summary>a + b, and the element of a package or buffer.</summary>
    public static byte[] Add(byte[] a, byte[] b) => List([0x72], a, b, Zero);
    public static byte[] Index(byte[] source, ulong index) => List([0x88], source, Number(index), Zero);

    /// <summary>A number in four bytes whatever its value, the last of the term, for whoever changes it afterwards.</summary>
    public static byte[] WideNumber(uint value) => new ByteWriter().U8(0x0c).U32(value).ToArray();

    public static byte[] Local(int number) => [(byte)(0x60 + number)];
    public static byte[] Arg(int number) => [(byte)(0x68 + number)];

    /// <summary>A term whose length is written in front of its content (section 20.2.4, PkgLength).</summary>
    private static byte[] Block(byte[] opcode, byte[] content)
    {
        int bytes = content.Length + 1 <= 0x3f ? 1 : content.Length + 2 <= 0xfff ? 2 : content.Length + 3 <= 0xfffff ? 3 : 4;
        int length = content.Length + bytes;
        var w = new ByteWriter().Bytes(opcode);
        if (bytes == 1)
            w.U8(length);
        else
        {
            w.U8((bytes - 1) << 6 | (length & 0xf));
            for (int i = 1; i < bytes; i++)
                w.U8(length >> (8 * i - 4));
        }
        return w.Bytes(content).ToArray();
    }
}
