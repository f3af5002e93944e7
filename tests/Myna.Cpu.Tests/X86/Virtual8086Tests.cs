using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Virtual-8086 mode: what IOPL and the extensions (CR4.VME) allow its programs (Intel SDM volume 3, chapter 21).</summary>
public abstract class Virtual8086Tests(string engine) : SystemTests(engine)
{
    private const uint IF = 0x200, Vif = 1 << 19, Vip = 1 << 20, Vm = 1 << 17;
    private const int CodeSegment = 0x900, Stack = 0x100, StackSegment = 0x4000, RedirectionMap = 0x68, IoMap = 0x88;
    // Of the program's own table.
    private const int Served = 0x21, Reflected = 0x22;

    // Runs 16-bit code at 900:0; it ends in an exception.
    private static SystemFixture Run(SystemFixture f, int iopl, bool vme, Action<Assembler> program, uint flags = 0)
    {
        f.TssLimit = IoMap + 0x2000;
        f.Write(SystemFixture.Tss + 100, [0, 0, IoMap, 0]);
        for (int i = 0; i < 32; i++)
            f.Write(SystemFixture.Tss + RedirectionMap + (ulong)i, [(byte)(i == Reflected / 8 ? 1 << (Reflected & 7) : 0)]);
        f.Gate(3, SystemFixture.Code0, SystemFixture.Handlers + 0x30, 0xEE);
        f.Gate(Reflected, SystemFixture.Code0, SystemFixture.Handlers + 16 * Reflected, 0xEE);
        f.Assemble(CodeSegment << 4, 16, a =>
        {
            program(a);
            a.int3();
        });
        return f.Run(a =>
        {
            a.mov(eax, vme ? 1 : 0);
            a.mov(cr4, eax);
            a.xor(eax, eax);
            for (int i = 0; i < 4; i++)
                a.push(0x6000);
            a.push(StackSegment);
            a.push(Stack);
            a.push((int)(flags | Vm | 2 | (uint)iopl << 12));
            a.push(CodeSegment);
            a.push(0);
            a.iretd();
        });
    }

    private static ulong Flags(SystemFixture f) => f.Frame(2);

    public static TheoryData<string> Sensitive() => [.. s_sensitive.Keys];

    private static readonly Dictionary<string, Action<Assembler>> s_sensitive = new()
    {
        ["cli"] = a => a.cli(),
        ["sti"] = a => a.sti(),
        ["pushf"] = a => a.pushf(),
        ["pushfd"] = a => a.pushfd(),
        ["popf"] = a => { a.push((short)0x202); a.popf(); },
        ["popfd"] = a => { a.push(0x202); a.popfd(); },
        ["int"] = a => a.@int(Reflected),
        ["iret"] = a =>
        {
            Label next = a.CreateLabel();
            a.push((short)0x202);
            a.push((short)CodeSegment);
            a.db(0xE8, 0, 0); // call next
            a.Label(ref next);
            a.pop(ax);
            a.add(ax, 6);
            a.push(ax);
            a.iret();
        },
    };

    [Theory]
    [MemberData(nameof(Sensitive))]
    public void Instructions_that_are_sensitive_to_IOPL(string name)
    {
        using var f = Create(X86BootMode.Protected32);
        Action<Assembler> program = s_sensitive[name];
        for (int iopl = 0; iopl < 3; iopl++)
            Run(f, iopl, vme: false, program).Expect(Vector.GP, 0);
        Run(f, 3, vme: false, program).Expect(name == "int" ? (Vector)Reflected : Vector.BP);
        Assert.Equal(Vm, Flags(f) & Vm);
        // With the extensions, all but the 32-bit forms and interrupts that are not the program's own.
        Run(f, 0, vme: true, program);
        f.Expect(name is "pushfd" or "popfd" or "int" ? Vector.GP : Vector.BP);
    }

    [Fact]
    public void IF_is_the_programs_with_IOPL_3_and_virtual_with_the_extensions()
    {
        using var f = Create(X86BootMode.Protected32);
        Run(f, 3, vme: false, a => a.sti()).Expect(Vector.BP);
        Assert.Equal(IF, Flags(f) & (IF | Vif));
        Run(f, 3, vme: true, a => a.sti()).Expect(Vector.BP);
        Assert.Equal(IF, Flags(f) & (IF | Vif));
        Run(f, 0, vme: true, a => a.sti()).Expect(Vector.BP);
        Assert.Equal(Vif, Flags(f) & (IF | Vif));
        Run(f, 0, vme: true, a => a.cli(), IF | Vif).Expect(Vector.BP);
        Assert.Equal(IF, Flags(f) & (IF | Vif));
        // POPF of 16 bits: IF goes to VIF, IOPL stays.
        Run(f, 0, vme: true, a => { a.push(unchecked((short)0x3202)); a.popf(); }).Expect(Vector.BP);
        Assert.Equal(Vif, Flags(f) & (IF | Vif | 0x3000));
        Run(f, 3, vme: false, a => { a.push((short)0x0002); a.popf(); }, IF).Expect(Vector.BP);
        Assert.Equal(0x3000UL, Flags(f) & (IF | Vif | 0x3000));
        // PUSHF shows VIF in the place of IF, and an IOPL of 3.
        Run(f, 0, vme: true, a => { a.pushf(); a.pop(bx); }, Vif).Expect(Vector.BP);
        Assert.Equal(0x3202UL, f.R(3) & 0x3202);
        Run(f, 0, vme: true, a => { a.pushf(); a.pop(bx); }, IF).Expect(Vector.BP);
        Assert.Equal(0x3002UL, f.R(3) & 0x3202);
    }

    [Fact]
    public void A_pending_virtual_interrupt_stops_what_would_let_it_in()
    {
        using var f = Create(X86BootMode.Protected32);
        Run(f, 0, vme: true, a => a.sti(), Vip).Expect(Vector.GP, 0);
        Run(f, 0, vme: true, a => { a.push((short)0x202); a.popf(); }, Vip).Expect(Vector.GP, 0);
        Run(f, 0, vme: true, a => { a.push((short)0x002); a.popf(); }, Vip).Expect(Vector.BP);
        Run(f, 0, vme: true, s_sensitive["iret"], Vip).Expect(Vector.GP, 0);
        Run(f, 0, vme: true, a => a.cli(), Vip).Expect(Vector.BP);
        Run(f, 3, vme: true, a => a.sti(), Vip).Expect(Vector.BP);
        // A trap flag cannot be popped past VME.
        Run(f, 0, vme: true, a => { a.push((short)0x102); a.popf(); }).Expect(Vector.GP, 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Interrupts_that_the_map_gives_to_the_program(int iopl)
    {
        using var f = Create(X86BootMode.Protected32);
        f.Poke(4 * Served, 0x0040 | (ulong)CodeSegment << 16);
        f.Assemble((CodeSegment << 4) + 0x40, 16, a =>
        {
            a.mov(bp, sp);
            a.mov(bx, __word_ptr[bp + 4]);
            a.mov(cx, __word_ptr[bp]);
            a.pushf();
            a.pop(dx);
            a.iret();
        });
        uint enabled = iopl == 3 ? IF : Vif;
        Run(f, iopl, vme: true, a =>
        {
            a.@int(Served);
            a.mov(si, 0x55);
        }, enabled).Expect(Vector.BP);
        Assert.Equal(0x55UL, f.R(6) & 0xFFFF);
        Assert.Equal(2UL, f.R(1) & 0xFFFF);
        // Enabled before and again behind it, disabled in the handler; IOPL 3 either way.
        Assert.Equal(0x3200UL, f.R(3) & 0x3200);
        Assert.Equal(0x3000UL, f.R(2) & 0x3200);
        Assert.Equal(enabled, Flags(f) & (IF | Vif));
        Assert.Equal((ulong)Stack, f.Frame(3));
        // The other kind: to the monitor, as #GP or by the gate.
        Run(f, iopl, vme: true, a => a.@int(Reflected)).Expect(iopl == 3 ? (Vector)Reflected : Vector.GP);
        // Without the extensions the map is not read.
        Run(f, iopl, vme: false, a => a.@int(Served)).Expect(Vector.GP, iopl == 3 ? (ulong)(Served * 8 + 2) : 0);
    }

    [Fact]
    public void INT3_and_INTO_are_not_sensitive()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Gate(4, SystemFixture.Code0, SystemFixture.Handlers + 0x40, 0xEE);
        Run(f, 0, vme: false, a => a.int3()).Expect(Vector.BP);
        Run(f, 0, vme: false, a =>
        {
            a.mov(al, 0x7F);
            a.inc(al);
            a.db(0xCE); // into
        }).Expect(Vector.OF);
        // A gate that is not for level 3.
        f.Gate(4, SystemFixture.Code0, SystemFixture.Handlers + 0x40, 0x8E);
        Run(f, 3, vme: false, a =>
        {
            a.mov(al, 0x7F);
            a.inc(al);
            a.db(0xCE);
        }).Expect(Vector.GP, 4 * 8 + 2);
    }

    [Fact]
    public void A_handler_of_another_level_than_0_is_refused()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Gate(6, SystemFixture.Code3 & ~3, SystemFixture.Handlers + 0x60, 0xEE);
        Run(f, 3, vme: false, a => a.ud2()).Expect(Vector.GP, (SystemFixture.Code3 & ~3ul) + 1);
    }

    [Fact]
    public void Ports_are_checked_by_the_map_whatever_IOPL_says()
    {
        using var f = Create(X86BootMode.Protected32);
        void Deny(int port) => f.Write(SystemFixture.Tss + IoMap + (ulong)(port / 8), [(byte)(1 << (port & 7))]);
        Deny(0x81);
        foreach (int iopl in new[] { 0, 3 })
        {
            Run(f, iopl, vme: false, a => a.@in(al, 0x80)).Expect(Vector.BP);
            Run(f, iopl, vme: false, a => a.@in(al, 0x81)).Expect(Vector.GP, 0);
            Run(f, iopl, vme: false, a => a.@in(ax, 0x80)).Expect(Vector.GP, 0);
            Run(f, iopl, vme: false, a => a.@out(0x7E, eax)).Expect(Vector.GP, 0);
        }
    }

    public static TheoryData<string, Vector> Forbidden() => new()
    {
        { "hlt", Vector.GP }, { "clts", Vector.GP }, { "lgdt", Vector.GP }, { "lidt", Vector.GP }, { "mov cr0", Vector.GP }, { "mov dr7", Vector.GP }, { "lmsw", Vector.GP }, { "invlpg", Vector.GP },
        { "wbinvd", Vector.GP }, { "rdmsr", Vector.GP }, { "sldt", Vector.UD }, { "str", Vector.UD }, { "ltr", Vector.UD }, { "lar", Vector.UD }, { "lsl", Vector.UD }, { "verr", Vector.UD },
        { "arpl", Vector.UD },
    };

    [Theory]
    [MemberData(nameof(Forbidden))]
    public void Instructions_of_protected_mode(string name, Vector vector)
    {
        using var f = Create(X86BootMode.Protected32);
        Run(f, 3, vme: false, a =>
        {
            switch (name)
            {
                case "hlt": a.hlt(); break;
                case "clts": a.clts(); break;
                case "lgdt": a.lgdt(__[bx]); break;
                case "lidt": a.lidt(__[bx]); break;
                case "mov cr0": a.mov(eax, cr0); break;
                case "mov dr7": a.mov(eax, dr7); break;
                case "lmsw": a.lmsw(ax); break;
                case "invlpg": a.invlpg(__[bx]); break;
                case "wbinvd": a.wbinvd(); break;
                case "rdmsr": a.rdmsr(); break;
                case "sldt": a.sldt(ax); break;
                case "str": a.str(ax); break;
                case "ltr": a.ltr(ax); break;
                case "lar": a.lar(ax, bx); break;
                case "lsl": a.lsl(ax, bx); break;
                case "verr": a.verr(ax); break;
                case "arpl": a.arpl(ax, bx); break;
            }
        }).Expect(vector);
        Assert.Equal(0UL, f.Frame(0));
    }

    [Fact]
    public void Segments_are_64_KiB_at_16_times_the_selector()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Poke(0x6_FFF0, 0x1234_5678);
        Run(f, 0, vme: false, a =>
        {
            a.mov(cx, __word_ptr[0xFFF0]);
            a.mov(dx, 0x6FFF);
            a.mov(es, dx);
            a.mov(si, __word_ptr.es[2]);
            a.mov(ax, __word_ptr[0xFFFF]);
        }).Expect(Vector.GP, 0);
        Assert.Equal(0x5678UL, f.R(1) & 0xFFFF);
        Assert.Equal(0x1234UL, f.R(6) & 0xFFFF);
        Run(f, 0, vme: false, a =>
        {
            a.mov(sp, 1);
            a.push(ax);
        }).Expect(Vector.SS, 0);
    }
}

public sealed class Virtual8086TestsInterpreted() : Virtual8086Tests(Interpreted);

public sealed class Virtual8086TestsTranslated() : Virtual8086Tests(Translated);
