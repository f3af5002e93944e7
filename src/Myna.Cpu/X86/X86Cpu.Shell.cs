using Myna.Cpu.X86.Instructions;
using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

public sealed partial class X86Cpu
{
    private Flow Undefined() => throw new NotSupportedException();
    public ulong TscOffset => throw new NotSupportedException();
    public void SetIntr(bool level) => throw new NotSupportedException();
    public void Nmi() => throw new NotSupportedException();
    public void Init() => throw new NotSupportedException();
    public void Startup(byte vector) => throw new NotSupportedException();
    public override StopReason Run(ulong maxInstructions = ulong.MaxValue) => throw new NotSupportedException();
    public override void Kick() => throw new NotSupportedException();
    public override void Reset() => State = default;
    public override ulong Pc { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override IReadOnlyList<CpuRegister> Registers => throw new NotSupportedException();
    public override string TargetDescription => throw new NotSupportedException();
    public override bool TryReadRegister(int number, out ulong value) => throw new NotSupportedException();
    public override bool TryWriteRegister(int number, ulong value) => throw new NotSupportedException();
    public override bool TryTranslate(ulong va, out ulong physical) => throw new NotSupportedException();
    public override bool ReadMemory(ulong va, Span<byte> destination) => throw new NotSupportedException();
    public override bool WriteMemory(ulong va, ReadOnlySpan<byte> source) => throw new NotSupportedException();
    public override StopReason Step() => throw new NotSupportedException();
    public override bool TryDisassemble(ulong va, out string text, out int length) => throw new NotSupportedException();
    public override IEnumerable<Mapping> Mappings() => throw new NotSupportedException();
    public override IEnumerable<(string Name, ulong Value)> Counters => throw new NotSupportedException();
    private protected override void OnWatchpointsChanged() => throw new NotSupportedException();
    private protected override void ForgetKick() => throw new NotSupportedException();

    /// <summary>Replaces the reset vector's state by a boot protocol's. Paused, after <see cref="Reset"/>.</summary>
    public void Apply(in X86BootState boot) => throw new NotSupportedException($"{boot.Mode}");

    private void Sync() { }

    internal BlockFlags Flags => throw new NotSupportedException();
    internal uint Generation => throw new NotSupportedException();
    internal int DataMode => throw new NotSupportedException();
    internal int FetchMode => throw new NotSupportedException();
    internal FetchOutcome FillFetch(ulong linear) => throw new NotSupportedException();
    internal int FetchBytes(ulong linear, Span<byte> buffer) => throw new NotSupportedException();
    internal void RaiseFetchFault(ulong linear) => throw new NotSupportedException();
    internal bool Load(ulong linear, MemSize size, int mode, out ulong value) => throw new NotSupportedException();
    internal bool Store(ulong linear, MemSize size, int mode, ulong value) => throw new NotSupportedException();
    internal bool ProbeWrite(ulong linear, int bytes, int mode) => throw new NotSupportedException();
    internal bool CheckSegment(SegmentRegister segment, ulong offset, int bytes, bool write, out ulong linear) => throw new NotSupportedException();
    internal void RaiseException(Vector vector, uint error = 0, bool hasError = false) => throw new NotSupportedException();
    internal bool In(ushort port, int size, out ulong value) => throw new NotSupportedException();
    internal bool Out(ushort port, int size, ulong value) => throw new NotSupportedException();
    internal bool IsCanonical(ulong linear) => throw new NotSupportedException();
    /// <summary>Recomputes Flags after a change of RFLAGS.DF.</summary>
    internal void UpdateFlags() => throw new NotSupportedException();
}
