using System.Buffers.Binary;
using Myna.Machines.Loading;

namespace Myna.Machines.Firmware.Acpi;

/// <summary>
/// ACPI tables with the pointers between them (ACPI 6.5, section 5.2), kept so that they can be put anywhere: by Myna itself,
/// or by a firmware that follows the table loader's script.
/// </summary>
internal sealed class AcpiTableSet
{
    /// <summary>The file of fw_cfg with all tables but the root pointer.</summary>
    public const string TablesFile = "etc/acpi/tables";

    private const int HeaderSize = 36, RsdpSize = 36, LengthOffset = 4, ChecksumOffset = 9;
    private const int Alignment = 64;

    private readonly ByteWriter _tables = new();
    private readonly List<(int At, int Size, int Target)> _pointers = [];
    private readonly List<(int At, int Length)> _sums = [];
    private readonly List<int> _listed = [];
    private readonly List<FilePointer> _files = [];
    private int _rsdt, _xsdt;

    /// <summary>A pointer inside a table's body to another table.</summary>
    /// <param name="Offset">From the start of the table, header included.</param>
    /// <param name="Target">What <see cref="Add"/> returned for the other table.</param>
    public readonly record struct Pointer(int Offset, int Size, int Target);

    /// <summary>A pointer to pages of their own outside the tables.</summary>
    private readonly record struct FilePointer(int At, int Size, string Page, string? Address);

    /// <summary>Lets a pointer in a table lead to pages of their own.</summary>
    /// <param name="at">Where it is among the tables.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="page">The file of fw_cfg that firmware puts into memory.</param>
    /// <param name="address">The file to which it writes where; null when nobody wants to know.</param>
    public void Link(int at, int size, string page, string? address = null) => _files.Add(new(at, size, page, address));

    /// <summary>Appends a table with the common header.</summary>
    /// <param name="body">What follows the header.</param>
    /// <param name="listed">Whether the root tables name it; DSDT and FACS are found through the FADT.</param>
    /// <returns>Its place, for pointers to it.</returns>
    public int Add(string signature, int revision, byte[] body, bool listed = true, params ReadOnlySpan<Pointer> pointers)
    {
        _tables.Align(Alignment);
        int at = _tables.Length, length = HeaderSize + body.Length;
        _tables.Text(signature, 4).U32((uint)length).U8(revision).U8(0).Text("MYNA", 6).Text("MYNAVM", 8).U32(1).Text("MYNA", 4).U32(1).Bytes(body);
        foreach (Pointer p in pointers)
            _pointers.Add((at + p.Offset, p.Size, p.Target));
        _sums.Add((at, length));
        if (listed)
            _listed.Add(at);
        return at;
    }

    /// <summary>Appends the firmware ACPI control structure, which has no checksum (section 5.2.10).</summary>
    public int AddFacs()
    {
        _tables.Align(Alignment);
        int at = _tables.Length;
        _tables.Text("FACS").U32(64).Zero(24).U8(2).Zero(31);
        return at;
    }

    /// <summary>Appends the root tables; nothing can be added afterwards.</summary>
    public void Finish()
    {
        int[] tables = [.. _listed];
        _rsdt = AddRoot("RSDT", 4, tables);
        _xsdt = AddRoot("XSDT", 8, tables);
    }

    /// <summary>Bytes of all tables.</summary>
    public int Size => _tables.Length;

    /// <summary>The tables as they are to lie at an address, and the root pointer to them.</summary>
    /// <param name="page">Where the page is that tables point to and whose place somebody wants to know (<see cref="Link"/>).</param>
    public (byte[] Rsdp, byte[] Tables) Place(ulong address, ulong page = 0)
    {
        byte[] tables = Relocated(address);
        foreach (FilePointer file in _files.Where(f => f.Address is not null))
            BinaryPrimitives.WriteUInt32LittleEndian(tables.AsSpan(file.At), (uint)page);
        foreach ((int at, int length) in _sums)
            tables[at + ChecksumOffset] = Checksum(tables.AsSpan(at, length));
        byte[] rsdp = Rsdp(address);
        rsdp[8] = Checksum(rsdp.AsSpan(0, 20));
        rsdp[32] = Checksum(rsdp);
        return (rsdp, tables);
    }

    /// <summary>The files of fw_cfg that let a firmware put the tables where it likes (QEMU, hw/acpi/bios-linker-loader).</summary>
    public IEnumerable<KeyValuePair<string, byte[]>> LoaderFiles()
    {
        const string RsdpFile = "etc/acpi/rsdp";
        const int High = 1, FSegment = 2;
        var script = new ByteWriter();
        ByteWriter Entry(uint command, string file) => new ByteWriter().U32(command).Text(file, 56, '\0');
        void Append(ByteWriter entry) => script.Bytes(entry.Zero(128 - entry.Length).ToArray());
        void Allocate(string file, uint alignment, int zone) => Append(Entry(1, file).U32(alignment).U8(zone));
        void Point(string file, int at, int size, string target = TablesFile) => Append(Entry(2, file).Text(target, 56, '\0').U32((uint)at).U8(size));
        void Sum(string file, int at, int start, int length) => Append(Entry(3, file).U32((uint)at).U32((uint)start).U32((uint)length));

        Allocate(RsdpFile, 16, FSegment);
        Allocate(TablesFile, Alignment, High);
        foreach ((int at, int size, _) in _pointers)
            Point(TablesFile, at, size);
        foreach (FilePointer pointer in _files)
        {
            Allocate(pointer.Page, 4096, High);
            Point(TablesFile, pointer.At, pointer.Size, pointer.Page);
            // WRITE_POINTER: destination, source, both offsets, size.
            if (pointer.Address is not null)
                Append(Entry(4, pointer.Address).Text(pointer.Page, 56, '\0').U32(0).U32(0).U8(8));
        }
        foreach ((int at, int length) in _sums)
            Sum(TablesFile, at + ChecksumOffset, at, length);
        Point(RsdpFile, 16, 4);
        Point(RsdpFile, 24, 8);
        Sum(RsdpFile, 8, 0, 20);
        Sum(RsdpFile, 32, 0, RsdpSize);
        return
        [
            new(RsdpFile, Rsdp(0)),
            new(TablesFile, TablesContent()),
            new("etc/table-loader", script.ToArray()),
        ];
    }

    /// <summary>What the file of the tables holds.</summary>
    public byte[] TablesContent() => Relocated(0);

    private int AddRoot(string signature, int size, int[] tables)
    {
        Pointer[] pointers = [.. tables.Select((target, i) => new Pointer(HeaderSize + i * size, size, target))];
        return Add(signature, 1, new byte[tables.Length * size], listed: false, pointers);
    }

    private byte[] Relocated(ulong address)
    {
        byte[] tables = _tables.ToArray();
        foreach ((int at, int size, int target) in _pointers)
        {
            ulong value = address + (ulong)target;
            for (int i = 0; i < size; i++)
                tables[at + i] = (byte)(value >> (8 * i));
        }
        return tables;
    }

    /// <summary>Section 5.2.5.3, revision 2, with checksums of zero.</summary>
    private byte[] Rsdp(ulong address) => new ByteWriter().Text("RSD PTR ").U8(0).Text("MYNA", 6).U8(2)
        .U32((uint)(address + (ulong)_rsdt)).U32(RsdpSize).U64(address + (ulong)_xsdt).U32(0).ToArray();

    private static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return (byte)-sum;
    }
}
