using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>
/// Compares an engine with an independent implementation: QEMU's user mode runs the same program as a static ELF file that
/// writes its registers and data to standard output. Programs that trap here are left out, for QEMU turns traps into signals.
/// </summary>
internal sealed class QemuComparison : IComparison
{
    private const string Program = "qemu-riscv64";
    private const string Cpu = "rv64,zba=true,zbb=true,zbc=true,zbs=true";

    /// <summary>Where the ELF file's code puts the registers: x1 to x30, fcsr, f0 to f31; the data follow.</summary>
    private const int Dump = Layout.TrapLog, DumpFcsr = 31 * 8, DumpFloat = 32 * 8;
    private const int FileHeader = 0x1000;

    private readonly Rig _rig;
    private readonly byte[] _file = new byte[FileHeader + Layout.RamSize];
    private readonly byte[] _output = new byte[Layout.RamSize - Dump];
    private readonly string _path = Path.GetTempFileName();

    public QemuComparison(string engine)
    {
        _rig = new Rig(engine);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Header();
    }

    public ulong Instructions { get; private set; }

    public ulong Undecided { get; private set; }

    public string? Run(ulong seed)
    {
        TestProgram program = new ProgramGenerator(seed, counted: false).Generate(Environment.UserBare);
        program = program.With([.. program.Items.Select(Harmless)]);
        // Pointers well inside the data, most of them aligned: atomics and page borders must not end every program.
        foreach (int register in ProgramGenerator.Pointers)
            program.X[register] = Layout.Base + Layout.Data + Layout.PageSize + (program.X[register] & (seed % 8 == 0 ? 0x3FFFUL : 0x3FF8UL));
        for (int i = 0; i < Layout.SpareSize; i += 4)
        {
            Span<byte> spare = program.Data.AsSpan(i);
            if (!Understood(InstructionTable.Decode(BinaryPrimitives.ReadUInt32LittleEndian(spare))))
                BinaryPrimitives.WriteUInt32LittleEndian(spare, 0x13);
        }
        _rig.Load(program);
        _rig.RunTo(program, program.Limit);
        Instructions += _rig.Hart.Block.Context.InstructionCount;
        // One trap ends the program; more are none that QEMU would show.
        ulong traps = BinaryPrimitives.ReadUInt64LittleEndian(_rig.Memory[(Layout.TrapLog + Firmware.Used)..]) / 32;
        ulong cause = BinaryPrimitives.ReadUInt64LittleEndian(_rig.Memory[(Layout.TrapLog + Firmware.Log)..]);
        if (!_rig.Finished || traps != 1 || cause != (ulong)Cause.EcallFromU || _rig.CodeChanged(program))
        {
            Undecided++;
            return null;
        }
        if (!Execute(program))
            return $"seed {seed}: {Program} did not come to the end of the program\n{Listing(program)}";
        string differences = Compare();
        return differences.Length == 0 ? null : $"seed {seed}: {_rig.Engine} and {Program} differ\n{Listing(program)}{differences}";
    }

    /// <summary>Whether user mode and the QEMU of Debian 12 have the instruction.</summary>
    private static bool Understood(in Fields f)
    {
        InstructionRow row = InstructionTable.Rows[(int)f.Op];
        return f.Op != Opcode.Invalid
            && row.Extension is not (Extension.Zicond or Extension.Zawrs or Extension.Zicbom or Extension.Zicboz or Extension.Svinval or Extension.Privileged)
            // ctzw of a register whose lower half is zero counts on in the upper half there.
            && row.Mnemonic is not ("ecall" or "ebreak" or "c.ebreak" or "ctzw")
            && (row.Extension != Extension.Zicsr || f.Imm is >= 1 and <= 3);
    }

    private static Item Harmless(Item item)
    {
        if (item.Raw is null && Understood(item.Fields))
            return item;
        return new Item(item.Length == 2 ? new Fields(Opcode.CNop, 2, 0) : new Fields(Opcode.Addi, 4, 0));
    }

    private void Header()
    {
        Span<byte> h = _file;
        "\u007fELF"u8.CopyTo(h);
        (h[4], h[5], h[6]) = (2, 1, 1);
        BinaryPrimitives.WriteUInt16LittleEndian(h[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(h[18..], 243);
        BinaryPrimitives.WriteUInt32LittleEndian(h[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(h[24..], Layout.Base);
        BinaryPrimitives.WriteUInt64LittleEndian(h[32..], 64);
        // EF_RISCV_RVC, double-float ABI.
        BinaryPrimitives.WriteUInt32LittleEndian(h[48..], 5);
        BinaryPrimitives.WriteUInt16LittleEndian(h[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(h[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(h[56..], 1);
        Span<byte> segment = h[64..];
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 7);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[8..], FileHeader);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[16..], Layout.Base);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[24..], Layout.Base);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[32..], Layout.RamSize);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[40..], Layout.RamSize);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[48..], 0x1000);
    }

    /// <summary>Loads the registers, enters the program; from its end on, writes everything and exits.</summary>
    private static uint[] Stub(int start, out int end)
    {
        const int A0 = 10, A1 = 11, A2 = 12, A7 = 17, T6 = 31;
        var a = new Assembler();
        a.Emit(Opcode.Auipc, T6, imm: Layout.Initial);
        a.Emit(Opcode.Ld, 1, T6, imm: Firmware.SlotCsr(0x003));
        a.Emit(Opcode.Csrrw, 0, 1, imm: 0x003);
        for (int i = 0; i < 32; i++)
            a.Emit(Opcode.Fld, i, T6, imm: Firmware.SlotF(i));
        for (int i = 1; i < 32; i++)
            a.Emit(Opcode.Ld, i, T6, imm: Firmware.SlotX(i));
        a.Label("enter");
        a.Emit(Opcode.Jal, imm: start - a.OffsetOf("enter"));
        a.Label("end");
        end = a.OffsetOf("end");
        a.Emit(Opcode.Auipc, T6, imm: Dump);
        a.Emit(Opcode.Addi, T6, T6, imm: -end);
        for (int i = 1; i < 31; i++)
            a.Emit(Opcode.Sd, 0, T6, i, i * 8);
        for (int i = 0; i < 32; i++)
            a.Emit(Opcode.Fsd, 0, T6, i, DumpFloat + i * 8);
        a.Emit(Opcode.Csrrs, 1, 0, imm: 0x003);
        a.Emit(Opcode.Sd, 0, T6, 1, DumpFcsr);
        a.Emit(Opcode.Addi, A0, 0, imm: 1);
        a.Emit(Opcode.Addi, A1, T6);
        a.Emit(Opcode.Lui, A2, imm: Layout.RamSize - Dump);
        a.Emit(Opcode.Addi, A7, 0, imm: 64);
        a.Emit(Opcode.Ecall);
        a.Emit(Opcode.Addi, A0, 0);
        a.Emit(Opcode.Addi, A7, 0, imm: 93);
        a.Emit(Opcode.Ecall);
        return a.Assemble();
    }

    private bool Execute(TestProgram program)
    {
        Span<byte> image = _file.AsSpan(FileHeader);
        image.Clear();
        program.Build(image);
        uint[] stub = Stub(program.Start, out int end);
        for (int i = 0; i < stub.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(image[(i * 4)..], stub[i]);
        int at = program.Addresses()[^1];
        BinaryPrimitives.WriteUInt32LittleEndian(image[at..], InstructionTable.Encode(new Fields(Opcode.Jal, 4, 0, imm: end - at)));
        File.WriteAllBytes(_path, _file);

        var start = new ProcessStartInfo(Program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["-cpu", Cpu, _path])
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        using var watchdog = new Timer(_ => process.Kill(), null, 10_000, Timeout.Infinite);
        int read = process.StandardOutput.BaseStream.ReadAtLeast(_output, _output.Length, throwOnEndOfStream: false);
        process.WaitForExit();
        return read == _output.Length && process.ExitCode == 0;
    }

    private string Compare()
    {
        var text = new StringBuilder();
        void Line(string name, ulong mine, ulong theirs)
        {
            if (mine != theirs)
                text.AppendLine(CultureInfo.InvariantCulture, $"  {name}: {_rig.Engine} {mine:x16}, {Program} {theirs:x16}");
        }
        for (int i = 1; i < 31; i++)
        {
            // The trap handler saved two registers and then used them.
            int saved = i switch { 29 => Layout.TrapLog + 8, 30 => Layout.TrapLog, _ => -1 };
            ulong mine = saved < 0 ? _rig.Hart.Registers64.X[i] : BinaryPrimitives.ReadUInt64LittleEndian(_rig.Memory[saved..]);
            Line($"x{i}", mine, BinaryPrimitives.ReadUInt64LittleEndian(_output.AsSpan(i * 8)));
        }
        for (int i = 0; i < 32; i++)
            Line($"f{i}", _rig.Hart.Registers64.F[i], BinaryPrimitives.ReadUInt64LittleEndian(_output.AsSpan(DumpFloat + i * 8)));
        _rig.Hart.TryReadRegister(_rig.Hart.Registers.First(r => r.Name == "fcsr").Number, out ulong fcsr);
        Line("fcsr", fcsr, BinaryPrimitives.ReadUInt64LittleEndian(_output.AsSpan(DumpFcsr)));
        for (int at = Layout.Data; at < Layout.RamSize; at += 8)
            Line($"memory {Layout.Base + (ulong)at:x}", BinaryPrimitives.ReadUInt64LittleEndian(_rig.Memory[at..]), BinaryPrimitives.ReadUInt64LittleEndian(_output.AsSpan(at - Dump)));
        return text.ToString();
    }

    private static string Listing(TestProgram program)
    {
        var text = new StringBuilder();
        int[] addresses = program.Addresses();
        for (int i = 0; i < program.Items.Count; i++)
        {
            uint raw = program.Encode(i, addresses);
            ulong address = Layout.Base + (ulong)addresses[i];
            text.AppendLine(CultureInfo.InvariantCulture, $"  {address:x}  {raw:x8}  {Disassembler.Format(raw, address)}");
        }
        return text.ToString();
    }

    public void Dispose()
    {
        _rig.Dispose();
        File.Delete(_path);
    }
}
