using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Tests.Support;
using Myna.Machines.X86;

namespace Myna.Machines.Tests.X86;

/// <summary>The boards' ACPI tables: byte by byte where programs look first, and by Intel's compiler as a whole.</summary>
public sealed class AcpiTests : IDisposable
{
    private const ulong Base = 0xe0100;
    private readonly Scratch _scratch = new();

    public static TheoryData<string, int> Boards => new() { { "q35", 1 }, { "q35", 64 }, { "q35,vmgenid", 1 }, { "pc", 1 }, { "pc", 64 }, { "microvm", 1 }, { "microvm", 64 } };

    public void Dispose() => _scratch.Dispose();

    private static AcpiTableSet Build(string board, int cpus) => board switch
    {
        "q35" => Build(new Q35Chipset(), cpus),
        "q35,vmgenid" => Build(new Q35Chipset(), cpus, new(2, Tpm: true, Generation: true, TpmLog: true)),
        "pc" => Build(new I440FxChipset(), cpus),
        _ => MicrovmTables.Build(cpus, 17, 2),
    };

    private static AcpiTableSet Build(Chipset chipset, int cpus, ChipsetTables.Extras? extras = null) => chipset.Tables(cpus, chipset.Memory(0x8000_0000), 0x8086a201, extras ?? new(2));

    /// <summary>Follows the pointers as a system does: RSDP, XSDT, tables; FADT to DSDT and FACS.</summary>
    private static Dictionary<string, byte[]> Walk(byte[] rsdp, byte[] tables, ulong address)
    {
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(rsdp, 0, 8));
        Assert.Equal(0, Sum(rsdp.AsSpan(0, 20)));
        Assert.Equal(0, Sum(rsdp));
        Assert.Equal(2, rsdp[15]);
        byte[] Table(ulong at)
        {
            int offset = (int)(at - address), length = (int)BinaryPrimitives.ReadUInt32LittleEndian(tables.AsSpan(offset + 4));
            return tables[offset..(offset + length)];
        }
        byte[] xsdt = Table(BinaryPrimitives.ReadUInt64LittleEndian(rsdp.AsSpan(24))), rsdt = Table(BinaryPrimitives.ReadUInt32LittleEndian(rsdp.AsSpan(16)));
        Assert.Equal("XSDT", Encoding.ASCII.GetString(xsdt, 0, 4));
        Assert.Equal("RSDT", Encoding.ASCII.GetString(rsdt, 0, 4));
        Assert.Equal((xsdt.Length - 36) / 8, (rsdt.Length - 36) / 4);
        var found = new Dictionary<string, byte[]> { ["XSDT"] = xsdt, ["RSDT"] = rsdt };
        for (int at = 36, narrow = 36; at < xsdt.Length; at += 8, narrow += 4)
        {
            ulong pointer = BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(at));
            Assert.Equal(pointer, BinaryPrimitives.ReadUInt32LittleEndian(rsdt.AsSpan(narrow)));
            byte[] table = Table(pointer);
            found[Encoding.ASCII.GetString(table, 0, 4)] = table;
        }
        byte[] fadt = found["FACP"];
        Assert.Equal(276, fadt.Length);
        found["DSDT"] = Table(BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(140)));
        Assert.Equal(BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(140)), BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(40)));
        if (BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(36)) is var facs and not 0)
        {
            Assert.Equal(0u, facs % 64);
            found["FACS"] = Table(facs);
        }
        foreach ((string name, byte[] table) in found)
            Assert.True(name == "FACS" || Sum(table) == 0, name);
        return found;
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return sum;
    }

    [Theory]
    [MemberData(nameof(Boards))]
    public void Tables_are_found_and_whole(string board, int cpus)
    {
        (byte[] rsdp, byte[] tables) = Build(board, cpus).Place(Base);
        Dictionary<string, byte[]> found = Walk(rsdp, tables, Base);
        string[] expected = board == "microvm" ? ["APIC", "DSDT", "FACP", "RSDT", "SPCR", "XSDT"]
            : ["APIC", "DSDT", "FACP", "FACS", "HPET", .. board != "pc" ? ["MCFG"] : Array.Empty<string>(), "RSDT", "SPCR", .. board == "q35,vmgenid" ? ["SSDT", "TPM2"] : Array.Empty<string>(), "WAET", "XSDT"];
        Assert.Equal(expected, found.Keys.Order(StringComparer.Ordinal));
        // They share 128 KiB with the SMBIOS tables.
        Assert.InRange(tables.Length, 1, 0xf000);
        byte[] fadt = found["FACP"];
        bool reduced = (BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(112)) & 1 << 20) != 0;
        Assert.Equal(board == "microvm", reduced);
        Assert.Equal(board != "microvm" ? 0x604ul : 0, BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(172 + 4)));
        Assert.Equal(board != "microvm" ? 0xcf9ul : 0x602, BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(116 + 4)));
        byte[] madt = found["APIC"];
        int local = 0;
        for (int at = 44; at < madt.Length; at += madt[at + 1])
            local += madt[at] == 0 ? 1 : 0;
        Assert.Equal(cpus, local);
    }

    [Theory]
    [MemberData(nameof(Boards))]
    public void A_firmware_that_follows_the_loaders_script_gets_the_same_tables(string board, int cpus)
    {
        AcpiTableSet set = Build(board, cpus);
        const ulong Page = 0x7654_3000;
        Dictionary<string, byte[]> files = set.LoaderFiles().Append(new("etc/vmgenid_guid", [])).Append(new("etc/tpm/log", [])).Append(new("etc/vmgenid_addr", [])).ToDictionary(f => f.Key, f => (byte[])f.Value.Clone());
        byte[] script = files["etc/table-loader"];
        var places = new Dictionary<string, ulong>();
        for (int at = 0; at < script.Length; at += 128)
        {
            string Text(int offset) => Encoding.ASCII.GetString(script, at + offset, 56).TrimEnd('\0');
            uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(script.AsSpan(at + offset));
            byte[] file = files[Text(4)];
            switch (U32(0))
            {
                case 1:
                    places[Text(4)] = Text(4) switch { "etc/acpi/tables" => Base, "etc/vmgenid_guid" => Page, "etc/tpm/log" => 0, _ => 0xf0000 };
                    break;
                case 2:
                    Span<byte> pointer = file.AsSpan((int)U32(116), script[at + 120]);
                    ulong value = 0;
                    for (int i = pointer.Length - 1; i >= 0; i--)
                        value = value << 8 | pointer[i];
                    value += places[Text(60)];
                    for (int i = 0; i < pointer.Length; i++)
                        pointer[i] = (byte)(value >> (8 * i));
                    break;
                case 3:
                    file[(int)U32(60)] -= Sum(file.AsSpan((int)U32(64), (int)U32(68)));
                    break;
                case 4:
                    Assert.Equal(("etc/vmgenid_addr", "etc/vmgenid_guid", 0u, 0u, 8), (Text(4), Text(60), U32(116), U32(120), script[at + 124]));
                    Assert.Contains("etc/vmgenid_guid", places);
                    break;
                default:
                    Assert.Fail("unknown command");
                    break;
            }
        }
        Assert.Equal(board == "q35,vmgenid", places.ContainsKey("etc/tpm/log"));
        (byte[] rsdp, byte[] tables) = set.Place(Base, Page);
        Assert.Equal(rsdp, files["etc/acpi/rsdp"]);
        Assert.Equal(tables, files["etc/acpi/tables"]);
    }

    [TheoryIfTool("iasl")]
    [MemberData(nameof(Boards))]
    public void Intels_compiler_disassembles_them_and_compiles_the_result_without_a_warning(string board, int cpus)
    {
        (byte[] rsdp, byte[] tables) = Build(board, cpus).Place(Base);
        foreach ((string name, byte[] table) in Walk(rsdp, tables, Base))
        {
            if (name == "FACS")
                continue;
            string file = _scratch.Write($"{name}.aml", table);
            string log = Iasl("-d", file);
            Assert.DoesNotContain("Error", log, StringComparison.Ordinal);
            Assert.DoesNotContain("Invalid", log, StringComparison.Ordinal);
            Assert.DoesNotContain("Unknown", log, StringComparison.Ordinal);
            string source = Path.ChangeExtension(file, ".dsl");
            if (name is "DSDT" or "SSDT")
            {
                string compiled = Iasl("-p", _scratch.Path("again"), source);
                Assert.Contains("0 Errors, 0 Warnings", compiled.Replace("Compilation successful. ", "", StringComparison.Ordinal), StringComparison.Ordinal);
                // The compiler chooses the same encodings, but for the header's creator and checksum.
                byte[] again = File.ReadAllBytes(_scratch.Path("again.aml"));
                // Only a pointer that firmware fills in is wider than its zero needs.
                if (name == "DSDT")
                    Assert.Equal(table[36..], again[36..]);
            }
            else
            {
                string text = File.ReadAllText(source);
                Assert.DoesNotContain("Incorrect", text, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain("Unknown", text, StringComparison.Ordinal);
                Assert.DoesNotContain("Invalid", text, StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    private static string Iasl(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("iasl", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + error.Result;
    }
}
