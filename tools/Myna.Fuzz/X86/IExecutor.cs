namespace Myna.Fuzz.X86;

/// <summary>A processor, real or not, that executes cases.</summary>
internal interface IExecutor : IDisposable
{
    string Name { get; }

    /// <summary>Executes a case.</summary>
    /// <returns>False when it did not come to an end.</returns>
    bool Run(TestCase test, Outcome outcome);
}
