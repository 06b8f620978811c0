"""The demonstration's world: real opening stocks of real facilities, and a simulated stream of movements that says so."""

SIMULATED = {
    "zh": (
        "演示数据：期初库存真实，出入库流水为模拟。期初库存取自美国环保署风险管理计划（RMP）公开申报的真实储量（Data Liberation Project 整理，CC BY-SA 4.0）；"
        "统一社会信用代码、库房、许可证、人员以及全部出入库流水均为模拟，与任何企业的实际经营无关。"
    ),
    "en": (
        "Demonstration data: real opening stocks, simulated movements. The opening stocks are declarations to the United "
        "States EPA's Risk Management Program (compiled by the Data Liberation Project, CC BY-SA 4.0). Credit codes, stores, "
        "licences, persons and every movement are simulated and say nothing of any facility's real business."
    ),
}
"""For every page and print that shows this world (issue 2, item 10)."""
