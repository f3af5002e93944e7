namespace Myna.Cpu.Tests.X86.Kvm;

public sealed class ExceptionTestsVirtualized() : ExceptionTests(SystemTests.Virtualized);

public sealed class DebugTestsVirtualized() : DebugTests(SystemTests.Virtualized);

public sealed class ProtectedModeTestsVirtualized() : ProtectedModeTests(SystemTests.Virtualized);

public sealed class PagingTestsVirtualized() : PagingTests(SystemTests.Virtualized);

public sealed class CodeChangeTestsVirtualized() : CodeChangeTests(SystemTests.Virtualized);
